// puna render: a chat through the model's own template; the text exactly, nothing added, or the ids that a session is
// given.
#include <algorithm>

#include "base/json.h"
#include "base/nearest.h"
#include "common.h"
#include "dropped.h"
#include "interrupt.h"
#include "puna/base/error.h"
#include "puna/chat/dropped_fields.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct RenderFlags {
  ModelFlags model;
  std::string messages, date, template_name;
  bool ids = false;
};

// A bare list of messages asks for the generation prompt; an object says everything itself. `kwargs` become top-level
// variables.
OrderedJson variables_of(const OrderedJson& input) {
  if (input.is_array()) return {{"messages", input}, {"tools", nullptr}, {"add_generation_prompt", true}};
  if (!input.is_object() || !input.contains("messages"))
    fail(Status::invalid_argument, "expected a list of messages or an object with \"messages\"");
  const std::vector<std::string> known = {"messages", "tools", "documents", "add_generation_prompt", "kwargs", "date"};
  for (const auto& [key, value] : input.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      fail(Status::invalid_argument,
           "'%.64s' is no part of a chat%s (variables of the template's own go into \"kwargs\")", key.c_str(),
           did_you_mean(key, known).c_str());
  OrderedJson variables = {{"messages", input["messages"]},
                           {"tools", input.value("tools", OrderedJson())},
                           {"add_generation_prompt", input.value("add_generation_prompt", OrderedJson(false))}};
  if (input.contains("documents")) variables["documents"] = input["documents"];
  if (!input.contains("kwargs")) return variables;
  if (!input["kwargs"].is_object()) fail(Status::invalid_argument, "\"kwargs\" must be an object of variables");
  variables.update(input["kwargs"]);
  return variables;
}

std::string date_of(const OrderedJson& input, const std::string& otherwise) {
  if (!input.is_object() || !input.contains("date") || input["date"].is_null()) return otherwise;
  if (!input["date"].is_string()) fail(Status::invalid_argument, "\"date\" must be a text, YYYY-MM-DD");
  return input["date"].get<std::string>();
}

std::string id_list(const std::vector<int32_t>& ids) { return Json(ids).dump() + "\n"; }

std::string rendered(const RenderFlags& f, bool date_given) {
  const std::string text = read_input(f.messages);
  const ModelPtr model = f.model.open();
  return stoppable([&](const Watch& watch) {
    const OrderedJson input = parse_ordered_json(text, f.messages.c_str(), watch, /*exactly=*/true);
    const std::string json = json_text(variables_of(input));
    const RenderedChat chat =
        model->render_chat(json, date_given ? f.date : date_of(input, f.date), watch, f.template_name);
    DroppedFields().warn(dropped_fields(json, chat, watch));
    return f.ids ? id_list(model->require_tokenizer().encode_chat(chat, watch)) : chat.text;
  });
}

}  // namespace

void add_render(CLI::App& app) {
  const auto f = std::make_shared<RenderFlags>();
  f->date = today();
  const Verb verb(app, "render", "Print a chat as the model's template writes it, nothing added");
  f->model.add(verb);
  verb.option("--messages", f->messages,
              "JSON: a list of {role, content}, or an object of messages, tools, documents, add_generation_prompt, "
              "kwargs, date; - is standard input")
      .required();
  verb.flag("--ids", f->ids, "print token ids as a JSON array instead; what the messages say is never a special token");
  const Option date = verb.option(
      "--date", f->date, "what the template is told is today, YYYY-MM-DD (default: the object's date, or today)");
  verb.option("--template", f->template_name, "which of the model's chat templates, by name (puna info lists them)");
  verb.run([f, date] { print(rendered(*f, date.given())); });
}

}  // namespace puna::cli
