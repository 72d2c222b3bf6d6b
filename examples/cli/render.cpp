// puna render: a chat through the model's own template; the text exactly, nothing added.
#include "base/json.h"
#include "common.h"
#include "puna/base/error.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct Flags {
  ModelFlags model;
  std::string messages;
};

// A bare list of messages asks for the generation prompt; an object says everything itself. `kwargs` become top-level variables.
OrderedJson variables_of(const OrderedJson& input) {
  if (input.is_array()) return {{"messages", input}, {"tools", nullptr}, {"add_generation_prompt", true}};
  if (!input.is_object() || !input.contains("messages"))
    fail(Status::invalid_argument, "expected a list of messages or an object with \"messages\"");
  OrderedJson variables = {{"messages", input["messages"]},
                           {"tools", input.value("tools", OrderedJson())},
                           {"add_generation_prompt", input.value("add_generation_prompt", OrderedJson(false))}};
  if (input.contains("kwargs")) variables.update(input["kwargs"]);
  return variables;
}

void run(const Flags& f) {
  const OrderedJson input = parse_ordered_json(read_input(f.messages), f.messages.c_str());
  const std::string date = input.is_object() ? input.value("date", std::string()) : std::string();
  print(f.model.open()->render_chat(variables_of(input).dump(), date).text);
}

}  // namespace

void add_render(CLI::App& app) {
  const auto f = std::make_shared<Flags>();
  const Verb verb(app, "render", "Print a chat as the model's template writes it, nothing added");
  f->model.add(verb);
  verb.option("--messages", f->messages,
                   "JSON: a list of {role, content}, or an object of messages, tools, add_generation_prompt, kwargs, date; - is standard input")
      .required();
  verb.run([f] { run(*f); });
}

}  // namespace puna::cli
