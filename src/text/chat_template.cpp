// chat_template.cpp -- ChatTemplate on the interpreter in jinja_*: parse once, render on any number of threads.
#include "puna/text/chat_template.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "text/jinja_globals.h"
#include "text/jinja_parser.h"
#include "text/jinja_unicode.h"

namespace puna {
namespace {

using namespace jinja;

// The caller's variables as values: making them costs no steps. JSON nests at most 64 deep (base/json.h). It is taken apart as it is read, so that
// a long chat is in memory once, and a cancel in the middle leaves little to be freed.
class Reader {
 public:
  explicit Reader(const Watch& watch) : watch_(watch) {}

  Value value(OrderedJson& j) {
    watch_.tick();
    switch (j.type()) {
      case OrderedJson::value_t::null: return Value::none();
      case OrderedJson::value_t::boolean: return Value::boolean(j.get<bool>());
      case OrderedJson::value_t::number_integer: return Value::integer(j.get<int64_t>());
      case OrderedJson::value_t::number_unsigned:
        PUNA_REQUIRE(j.get<uint64_t>() <= uint64_t(INT64_MAX), "chat template variables: an integer leaves the 64-bit range");
        return Value::integer(j.get<int64_t>());
      case OrderedJson::value_t::number_float: return Value::real(j.get<double>());
      case OrderedJson::value_t::string: return text(std::move(j.get_ref<std::string&>()));
      case OrderedJson::value_t::array: return list(j);
      case OrderedJson::value_t::object: return dict(j);
      default: fail(Status::internal, "chat template variables: unexpected JSON type");
    }
  }

  static Value text(std::string s) { return Value::of(Kind::string, std::make_shared<Text>(std::move(s), false)); }

 private:
  Value taken(OrderedJson& member) {
    Value v = value(member);
    dismantle(member);
    member = nullptr;
    return v;
  }

  Value list(OrderedJson& j) {
    auto list = std::make_shared<Sequence>();
    list->items.reserve(j.size());
    for (OrderedJson& item : j) {
      list->items.push_back(taken(item));
      list->depth = std::max(list->depth, list->items.back().depth() + 1);
    }
    return Value::of(Kind::list, std::move(list));
  }

  Value dict(OrderedJson& j) {
    std::vector<Dict::Item> items;
    std::vector<std::string> keys;
    items.reserve(j.size());
    keys.reserve(j.size());
    for (auto& [key, member] : j.get_ref<OrderedJson::object_t&>()) {
      const auto [at, is_new] = keys_.try_emplace(key);
      if (is_new) at->second = text(key);
      items.emplace_back(at->second, taken(member));
      keys.push_back(Dict::text_key(key));
    }
    return Value::of(Kind::dict, std::make_shared<Dict>(std::move(items), std::move(keys)));
  }

  const Watch& watch_;
  std::map<std::string, Value> keys_;  // every message has the same ones
};

class JinjaTemplate final : public ChatTemplate {
 public:
  JinjaTemplate(std::string_view source, const Limits& limits, const Watch& watch) : limits_(limits), program_(parse_program(source, limits.depth, watch)) {}

  RenderedChat render(std::string_view variables_json, std::string_view now, const Watch& watch, const Texts& otherwise) const override {
    PUNA_REQUIRE(now.empty() || is_date(now), "now is '%.20s', expected a date YYYY-MM-DD", std::string(now).c_str());
    OrderedJson variables = parse_ordered_json(variables_json, "chat template variables", watch);
    const JsonGuard guard(variables);
    PUNA_REQUIRE(variables.is_object(), "chat template variables: expected a JSON object");
    Machine m(limits_, now, watch);
    Reader reader(watch);
    try {
      for (const std::string& name : program_.names) {
        const auto given = variables.find(name);
        const auto text = otherwise.find(name);
        m.context.push_back(given != variables.end() ? reader.value(*given) : text != otherwise.end() ? Reader::text(text->second) : find_global(m, name));
      }
      m.open_scope(nullptr, program_.hidden);
      m.execute(program_.body);
    } catch (const Raised& r) { fail(r.status, "chat template line %d: %s", m.line, r.message.c_str()); }
    return {m.take_output(), {}};
  }

 private:
  const Limits limits_;
  const Program program_;
};

}  // namespace

std::shared_ptr<const ChatTemplate> ChatTemplate::parse(std::string_view source, const Limits& limits, const Watch& watch) {
  return std::make_shared<JinjaTemplate>(source, limits, watch);
}

}  // namespace puna
