// puna label serve: the labelling page, for one person or several at once. docs/evaluation.md
#include <algorithm>

#include "base/os.h"
#include "common.h"
#include "label.h"
#include "label/api.h"
#include "puna/base/error.h"
#include "serve_page.h"

namespace puna::cli {
namespace {

struct ServeFlags {
  LabelFlags at;
  std::string host = "127.0.0.1", tokens, order = "random";
  int port = 8081;
  int64_t gold_every = 0, lease = 600;
  desk::DeskOptions desk;
  std::vector<Option> of_pairs, of_spans;  // read of projects of that type alone
};

void run_serve(ServeFlags& f) {
  const auto store = f.at.open();
  const std::vector<label::Project> projects = store->projects();
  if (projects.empty())
    fail(Status::invalid_argument, "the labels' file has no project yet: puna label create or import makes one");
  const auto has = [&](label::Type type) {
    return std::any_of(projects.begin(), projects.end(), [&](const label::Project& p) { return p.type == type; });
  };
  for (const Option& o : f.of_pairs) o.require_read(has(label::Type::pairwise), "of projects of the type pairwise");
  for (const Option& o : f.of_spans) o.require_read(has(label::Type::spans), "of projects of the type spans");
  f.desk.assign.order = label::order_of(f.order);
  for (const label::Project& p : projects) say_if_random(*store, p, f.desk.assign.order);
  f.desk.assign.gold_every = f.gold_every;
  f.desk.assign.lease_ms = f.lease * 1000;
  desk::ApiOptions api_options;
  api_options.reach = reach_of(f.host);
  if (!f.tokens.empty()) api_options.tokens = desk::parse_tokens(os::read_file(f.tokens, 1 << 20), f.tokens);
  Interrupt interrupt;
  desk::Api api(*store, f.desk, std::move(api_options));
  serve_page(api, f.host, f.port, size_t(1) << 20, interrupt);
}

}  // namespace

void add_label_serve(const Verb& label_group) {
  const auto f = std::make_shared<ServeFlags>();
  const Verb verb(label_group, "serve",
                  "A page to label on, for several people at once, with their agreement and what they disagree on");
  f->at.add_db(verb, "the labels' file");
  verb.option("--host", f->host, "address to listen at (default: 127.0.0.1, this machine alone)");
  verb.option("--port", f->port, "port; 0 = any that is free (default: 8081)").within(0, 65535);
  verb.option("--tokens", f->tokens,
              "a file with 'NAME SECRET' a line, 'NAME SECRET decides' for those who see all answers and decide; "
              "without it anybody who reaches the page may give any name");
  verb.option("--order", f->order, "random (default), entropy, margin (both after infer --save) or disagreement");
  verb.option("--gold-every", f->gold_every, "every n-th item is one whose label is certain (default 0: none)")
      .within(0, 1e6);
  verb.option("--lease", f->lease, "seconds until another may get an item that was given out (default 600)")
      .within(10, 1e7);
  verb.option("--prompt", f->desk.prompt, "the key of the data that is shown as the question (default prompt)");
  f->of_pairs = {verb.option("--left", f->desk.left, "pairwise: the key with the left answer (default left)"),
                 verb.option("--right", f->desk.right, "pairwise: the key with the right answer (default right)")};
  f->of_spans = {verb.option("--text", f->desk.text, "spans: the key with the text to mark (default text)")};
  verb.run([f] { run_serve(*f); });
}

}  // namespace puna::cli
