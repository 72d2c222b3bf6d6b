// constraint.cpp -- the pieces of a format's grammar, and what a caller chooses.
#include "base/json.h"
#include "base/nearest.h"
#include "chat/tools/segments.h"
#include "puna/base/error.h"
#include "puna/chat/tool_constraint.h"

namespace puna {
namespace {

using tools::ArgumentForm;
static_assert(int(ToolConstraint::Arguments::json) == int(ArgumentForm::json) &&
              int(ToolConstraint::Arguments::python) == int(ArgumentForm::python) &&
              int(ToolConstraint::Arguments::gemma) == int(ArgumentForm::gemma));

std::vector<ChatSegment> own_segments(const ToolFormat& format, std::string_view text) {
  tools::Segments out(format);
  out.add_own(text);
  return out.take();
}

}  // namespace

ToolChoice ToolChoice::parse(std::string_view text) {
  ToolChoice out;
  if (text.empty() || text == "auto") return out;
  if (text == "none" || text == "required") {
    out.kind = text == "none" ? Kind::none : Kind::required;
    return out;
  }
  out.kind = Kind::named;
  out.name = text;
  if (text[0] != '{') return out;
  OrderedJson json;
  const JsonGuard guard(json);
  json = parse_json_argument(text, "tool choice");
  const auto type = json.find("type"), inner = json.find("function");
  const OrderedJson& function = inner == json.end() ? json : *inner;
  const bool fine = type != json.end() && type->is_string() && type->get_ref<const std::string&>() == "function" &&
                    function.is_object() && function.contains("name") && function["name"].is_string();
  PUNA_REQUIRE(fine,
               "tool choice: expected auto, none, required, a tool's name, or {\"type\": \"function\", "
               "\"function\": {\"name\": ...}}");
  out.name = function["name"];
  return out;
}

ToolConstraint tool_constraint(const Tools& tools, const ToolFormat& format, const ToolChoice& choice) {
  using Kind = ToolChoice::Kind;
  ToolConstraint out;
  const bool must = choice.kind == Kind::required || choice.kind == Kind::named;
  PUNA_REQUIRE(!must || !tools.empty(), "tool choice: a call is required and there are no tools");
  if (choice.kind == Kind::named && !tools.find(choice.name)) {
    std::vector<std::string_view> names;
    for (const Tool& t : tools.all()) names.push_back(t.name);
    fail(Status::invalid_argument, "tool choice: there is no tool '%.64s'%s", choice.name.c_str(),
         did_you_mean(choice.name, names).c_str());
  }
  if (choice.kind == Kind::none || tools.empty()) return out;

  out.constrained = true;
  out.free_text_first = choice.kind == Kind::automatic;
  out.arguments = ToolConstraint::Arguments(format.arguments);
  out.begin = own_segments(format, format.begin);
  out.separator = own_segments(format, format.separator);
  out.end = own_segments(format, format.end);
  out.many = choice.parallel;
  const auto call_of = [&](const Tool& tool, std::string_view front, std::string_view between, std::string_view after) {
    ToolConstraint::Call call;
    call.name = tool.name;
    tools::Segments before(format);
    before.add_own(front);
    before.add(tool.name);
    before.add_own(between);
    call.before = before.take();
    call.after = own_segments(format, after);
    call.schema = tool.parameters;
    call.strict = tool.strict;
    return call;
  };
  constexpr std::string_view kBareFront = R"({"name": ")";
  const std::string_view bare_between = format.before == kBareFront ? format.between : R"(", "arguments": )";
  const bool is_bare = format.begin.empty() && format.before == kBareFront;
  const bool bare =
      out.free_text_first && (format.bare & tools::kJsonObject) && format.arguments == ArgumentForm::json && !is_bare;
  for (const Tool& tool : tools.all()) {
    if (choice.kind == Kind::named && tool.name != choice.name) continue;
    out.calls.push_back(call_of(tool, format.before, format.between, format.after));
    if (bare) out.bare_calls.push_back(call_of(tool, kBareFront, bare_between, "}"));
  }
  if (!out.free_text_first) return out;
  for (const tools::Opener& o : format.openers) out.free_text.marks.emplace_back(o.text);
  if (format.messages) out.free_text.specials.assign(format.specials.begin(), format.specials.end());
  out.free_text.json_calls = format.bare & (tools::kJsonObject | tools::kJsonList);
  out.free_text.python_calls = format.bare & tools::kPythonList;
  return out;
}

}  // namespace puna
