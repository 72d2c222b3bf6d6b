#include "puna/ads/linter.h"

#include <utility>

#include "ads/creative/language.h"
#include "base/json_out.h"
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

std::string finding_json(const Finding& f, std::string_view text) {
  return JsonObject()
      .text("rule", f.rule)
      .text("severity", name_of(f.severity))
      .integer("begin", int64_t(f.begin))
      .integer("end", int64_t(f.end))
      .text("text", text.substr(f.begin, f.end - f.begin))
      .text("reason", f.reason)
      .str();
}

std::string lint_json(std::string_view text, std::span<const Finding> findings, const LintContext& context) {
  PUNA_REQUIRE(is_utf8(text), "the text is no UTF-8");
  const TextLength n = text_length(text);
  JsonList list;
  for (const Finding& f : findings) list.add(finding_json(f, text));
  JsonObject json;
  json.text("text", text)
      .integer("graphemes", n.graphemes)
      .integer("columns", n.columns)
      .integer("utf16", n.utf16)
      .flag("errors", has_errors(findings))
      .json("findings", list.str());
  if (context.placement) json.integer("length", length_in(*context.placement, text));
  if (context.field) json.integer("limit", context.field->limit);
  return json.str();
}

}  // namespace puna::ads
