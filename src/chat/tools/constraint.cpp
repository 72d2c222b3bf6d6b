// constraint.cpp -- the pieces of a format's grammar.
#include "base/nearest.h"
#include "chat/tools/segments.h"
#include "puna/base/error.h"
#include "puna/chat/tool_constraint.h"

namespace puna {
namespace {

std::vector<ChatSegment> own_segments(const ToolFormat& format, std::string_view text) {
  tools::Segments out(format);
  out.add_own(text);
  return out.take();
}

}  // namespace

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
  out.arguments = format.python ? ToolConstraint::Arguments::python : ToolConstraint::Arguments::json;
  out.begin = own_segments(format, format.begin);
  out.separator = own_segments(format, format.separator);
  out.end = own_segments(format, format.end);
  out.many = choice.parallel;
  for (const Tool& tool : tools.all()) {
    if (choice.kind == Kind::named && tool.name != choice.name) continue;
    ToolConstraint::Call call;
    call.name = tool.name;
    tools::Segments before(format);
    before.add_own(format.before);
    before.add(tool.name);
    before.add_own(format.between);
    call.before = before.take();
    call.after = own_segments(format, format.after);
    call.schema = tool.parameters;
    call.strict = tool.strict;
    if (out.free_text_first &&
        format.trigger.empty()) {  // a list is everywhere in text, a list of a tool's call is not
      tools::Segments trigger(format);
      trigger.add_own(format.begin);
      trigger.add_own(format.before);
      trigger.add(tool.name);
      trigger.add_own(format.between);
      out.triggers.push_back(trigger.take().front());
    }
    out.calls.push_back(std::move(call));
  }
  if (out.free_text_first && !format.trigger.empty()) out.triggers = own_segments(format, format.trigger);
  return out;
}

}  // namespace puna
