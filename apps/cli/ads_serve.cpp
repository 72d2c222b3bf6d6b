// puna ads serve: the page on which an advertiser looks at texts, edits and approves them, and simulates a week.
// docs/ads.md
#include "ads.h"
#include "base/os.h"
#include "common.h"
#include "puna/ads/plan.h"
#include "puna/base/error.h"
#include "serve_page.h"
#include "studio/api.h"

namespace puna::cli {
namespace {

struct AdsServeFlags {
  ModelFlags machine;
  std::string brief, plan, model, adapter, db, host = "127.0.0.1", tokens, rules, placements;
  int port = 8082;
};

void run_ads_serve(AdsServeFlags& f) {
  Interrupt interrupt;
  studio::StudioOptions o;
  if (!f.brief.empty()) o.brief = read_input(f.brief);
  if (!f.plan.empty()) o.plan = read_input(f.plan);
  o.rules = ads_rules(f.rules);
  o.placements = ads_placements(f.placements);
  std::unique_ptr<label::LabelStore> store;
  if (!f.db.empty()) store = label::open_label_store(f.db);
  o.store = store.get();
  ModelPtr model;
  AdapterPtr adapter;
  if (!f.model.empty()) {
    f.machine.path = f.model;
    f.machine.adapter = f.adapter;
    model = f.machine.open();
    adapter = f.machine.open_adapter(*model);
    o.write = [&](std::string_view brief, const Watch& watch,
                  const std::function<void(int64_t, int64_t)>& progress) -> std::string {
      ads::PlanOptions options;
      options.model_path = f.model;
      options.adapter_path = f.adapter;
      options.adapter = adapter;
      options.made_at = today();
      options.rules = ads_rules(f.rules);
      const ads::Placements placements = ads_placements(f.placements);
      options.placements = &placements;
      options.progress = progress;
      const auto go_on = [&] {  // a plan that is being written does not keep the program from its end
        watch.tick(1 << 20);
        return !interrupt.requested();
      };
      return ads::write_plan(brief, "the brief", model, options, Watch(go_on)).json;
    };
  }
  studio::ApiOptions api_options;
  api_options.reach = reach_of(f.host);
  if (!f.tokens.empty()) api_options.tokens = http::parse_secrets(os::read_file(f.tokens, 1 << 20), f.tokens);
  studio::Api api(std::move(o), std::move(api_options));
  serve_page(api, f.host, f.port, size_t(4) << 20, interrupt);
}

}  // namespace

void add_ads_serve(const Verb& ads) {
  const auto f = std::make_shared<AdsServeFlags>();
  const Verb verb(ads, "serve",
                  "A page: previews as placements truncate them, lint as you type, approval, a simulated week");
  verb.option("BRIEF", f->brief, "a brief to begin with")
      .read_when([f] { return f->plan.empty(); }, "without --plan: a plan brings its own");
  verb.option("--plan", f->plan, "a plan of `puna ads plan` to look at; it brings its brief");
  verb.option("--model", f->model, "writes plans on the page (a GGUF file or a Hugging Face folder)");
  verb.option("--adapter", f->adapter, "the brand's voice: a LoRA adapter")
      .read_when([f] { return !f->model.empty(); }, "with --model");
  verb.option("--db", f->db, "keeps what is approved and rejected, as labels of the project \"ads\"");
  verb.option("--host", f->host, "address to listen at (default: 127.0.0.1, this machine alone)");
  verb.option("--port", f->port, "port; 0 = any that is free (default: 8082)").within(0, 65535);
  verb.option("--tokens", f->tokens,
              "a file with 'NAME SECRET' a line: who may work here, and whose name decisions carry");
  verb.option("--rules", f->rules, "other rules of lint");
  verb.option("--placements", f->placements, "other placements");
  f->machine.add_machine(verb);
  verb.run([f] { run_ads_serve(*f); });
}

}  // namespace puna::cli
