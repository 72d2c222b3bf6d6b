// chat_template.cpp -- ChatTemplate on the interpreter in jinja_*: parse once, render on any number of threads.
#include "puna/text/chat_template.h"

#include "base/json.h"
#include "text/jinja_globals.h"
#include "text/jinja_parser.h"
#include "text/jinja_unicode.h"

namespace puna {
namespace {

using namespace jinja;

// Variables come from the caller: making them costs no steps. JSON nests at most 64 deep (base/json.h).
Value from_json(const OrderedJson& j, const Watch& watch) {
  watch.tick();
  const auto nested = [](auto object) {
    for (const Value& v : object->items) object->depth = std::max(object->depth, v.depth() + 1);
    return object;
  };
  switch (j.type()) {
    case OrderedJson::value_t::null: return Value::none();
    case OrderedJson::value_t::boolean: return Value::boolean(j.get<bool>());
    case OrderedJson::value_t::number_integer: return Value::integer(j.get<int64_t>());
    case OrderedJson::value_t::number_unsigned:
      PUNA_REQUIRE(j.get<uint64_t>() <= uint64_t(INT64_MAX), "chat template variables: an integer leaves the 64-bit range");
      return Value::integer(j.get<int64_t>());
    case OrderedJson::value_t::number_float: return Value::real(j.get<double>());
    case OrderedJson::value_t::string: return Value::of(Kind::string, std::make_shared<Text>(j.get<std::string>(), false));
    case OrderedJson::value_t::array: {
      auto list = std::make_shared<Sequence>();
      for (const OrderedJson& item : j) list->items.push_back(from_json(item, watch));
      return Value::of(Kind::list, nested(std::move(list)));
    }
    case OrderedJson::value_t::object: {
      std::vector<Dict::Item> items;
      std::vector<std::string> keys;
      for (const auto& [key, value] : j.items()) {
        items.emplace_back(Value::of(Kind::string, std::make_shared<Text>(key, false)), from_json(value, watch));
        keys.push_back(Dict::text_key(key));
      }
      return Value::of(Kind::dict, std::make_shared<Dict>(std::move(items), std::move(keys)));
    }
    default: fail(Status::internal, "chat template variables: unexpected JSON type");
  }
}

void parse_variables(OrderedJson& variables, std::string_view text, const Watch& watch) {
  try {
    variables = parse_ordered_json(text, "chat template variables", watch);
    PUNA_REQUIRE(variables.is_object(), "chat template variables: expected a JSON object");
  } catch (const Error& e) {  // the caller's JSON, not a file's
    fail(e.status() == Status::bad_file ? Status::invalid_argument : e.status(), "%s", e.what());
  }
}

class JinjaTemplate final : public ChatTemplate {
 public:
  JinjaTemplate(std::string_view source, const Limits& limits, const Watch& watch) : limits_(limits), program_(parse_program(source, limits.depth, watch)) {}

  std::string render(std::string_view variables_json, std::string_view now, const Watch& watch) const override {
    PUNA_REQUIRE(now.empty() || is_date(now), "now is '%.20s', expected a date YYYY-MM-DD", std::string(now).c_str());
    OrderedJson variables;
    const JsonGuard guard(variables);
    parse_variables(variables, variables_json, watch);
    Machine m(limits_, now, watch);
    try {
      for (const std::string& name : program_.names) {
        const auto given = variables.find(name);
        m.context.push_back(given == variables.end() ? find_global(m, name) : from_json(*given, watch));
      }
      m.open_scope(nullptr, program_.hidden);
      m.execute(program_.body);
    } catch (const Raised& r) { fail(r.status, "chat template line %d: %s", m.line, r.message.c_str()); }
    return m.take_output();
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
