#include "puna/ads/linter.h"

#include <utility>

#include "ads/creative/language.h"
#include "base/json.h"
#include "base/utf8.h"
#include "puna/base/error.h"
#include "puna/text/graphemes.h"

namespace puna::ads {

Linter::Linter(LinterOptions o)
    : rules_(o.rules ? std::move(o.rules) : LintRules::known()),
      placements_(o.placements ? std::move(*o.placements) : known_placements()) {
  if (!o.brief.empty()) {
    brief_ = read_brief(o.brief, o.brief_name, placements_);
    std::vector<std::string> facts;
    for (const Fact& fact : brief_.facts) facts.push_back(fact.text);
    names_ = brief_.voice_words;
    names_.push_back(brief_.name);
    lock_ = std::make_unique<FactLock>(facts, names_);
    language_ = brief_.language;
  }
  if (!o.language.empty()) language_ = std::move(o.language);
  if (const std::string fault = fault_of_language(language_); !fault.empty())
    fail(Status::invalid_argument, "language: %s", fault.c_str());
}

LintContext Linter::context(std::string_view placement, std::string_view field) const {
  LintContext c;
  PUNA_REQUIRE(!placement.empty() || field.empty(), "a field without a placement, which has the field");
  if (!placement.empty()) c.placement = &placements_.find(placement);
  if (!field.empty()) c.field = &find_field(*c.placement, field);
  c.language = language_;
  if (!lock_) return c;
  c.facts = lock_.get();
  c.banned = brief_.banned;
  c.competitors = brief_.competitors;
  c.names = names_;
  return c;
}

std::string lint_json(std::string_view text, std::span<const Finding> findings, const LintContext& context) {
  PUNA_REQUIRE(is_utf8(text), "the text is no UTF-8");
  const TextLength n = text_length(text);
  // Member by member: nlohmann-json loses what it has of a list in braces when memory runs out.
  OrderedJson json = OrderedJson::object();
  json["text"] = text;
  json["graphemes"] = n.graphemes;
  json["columns"] = n.columns;
  json["utf16"] = n.utf16;
  json["errors"] = has_errors(findings);
  OrderedJson& list = json["findings"] = OrderedJson::array();
  for (const Finding& x : findings) {
    OrderedJson one = OrderedJson::object();
    one["rule"] = x.rule;
    one["severity"] = name_of(x.severity);
    one["begin"] = x.begin;
    one["end"] = x.end;
    one["text"] = text.substr(x.begin, x.end - x.begin);
    one["reason"] = x.reason;
    list.push_back(std::move(one));
  }
  if (context.placement) json["length"] = length_in(*context.placement, text);
  if (context.field) json["limit"] = context.field->limit;
  return json_text(json);
}

}  // namespace puna::ads
