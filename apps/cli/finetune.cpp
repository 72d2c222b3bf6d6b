// puna finetune and puna dpo: a LoRA adapter beside a model's frozen weights, whatever their type, in PEFT's format.
#include <cstdio>

#include "puna/base/error.h"
#include "puna/runtime/adapter_file.h"
#include "run_log.h"
#include "training.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct FinetuneFlags {
  ModelFlags model;
  TrainingFlags training;
  std::string start;
  int64_t rank = 8;
  float alpha = 16, beta = 0.1f;
  std::vector<std::string> targets;
  bool exact = false;
};

void add_flags(const Verb& verb, FinetuneFlags& f, bool pairs) {
  f.model.add(verb);
  verb.option("--rank", f.rank, "rank of the adapter (default 8)").at_least(1);
  verb.option("--alpha", f.alpha, "its scale is alpha / rank (default 16)");
  verb.option("--targets", f.targets, "which weights: ends of names (default q_proj v_proj), or all");
  verb.option("--adapter", f.start, "an adapter to go on from (a folder as PEFT's)");
  verb.flag("--exact", f.exact,
            "float32 activations against a quantised base; default: integer products, as in sessions");
  f.training.add(verb, pairs);
}

std::shared_ptr<Adapter> starting_adapter(const FinetuneFlags& f, const Model& model) {
  if (!f.start.empty()) return std::const_pointer_cast<Adapter>(load_adapter(model, f.start));  // not shared
  AdapterOptions o;
  o.rank = f.rank;
  o.alpha = double(f.alpha);
  o.seed = f.training.seed;
  if (!f.targets.empty()) o.targets = f.targets;
  return Adapter::create(model.context(), model.llama(), o);
}

template <class Learn>
void tune(const FinetuneFlags& f, Learn&& learn) {
  MpiPeers mpi;
  if (mpi.first())
    require_own_folder(f.training.out, {"adapter/adapter_model.safetensors", "loss.svg"}, f.training.resume,
                       f.training.overwrite);
  const ModelPtr model = f.model.open(/*trains=*/true);
  const std::shared_ptr<Adapter> adapter = starting_adapter(f, *model);
  train::Parameters parameters(model->context_ptr());
  parameters.track(*adapter);
  int64_t count = 0;
  for (const train::Parameter& p : parameters.list()) count += p.count;
  if (mpi.first()) fprintf(stderr, "%jd values to train beside %ju that stay\n", count, model->parameter_count());
  train::TrainerOptions options = f.training.trainer_options();
  options.pass.exact = f.exact;
  options.pass.providers = f.model.providers_of_training();
  options.dpo_beta = double(f.beta);
  train::Trainer trainer(parameters, model->llama(), adapter.get(), options);
  HeldOut held_out;
  learn(trainer, model, held_out, mpi.first());
  const auto save = [&] {
    save_adapter(*adapter, f.training.path("adapter"));
    return ", the adapter as it is now is in " + f.training.path("adapter");
  };
  run_training(trainer, f.training, held_out, mpi, save);
  if (!mpi.first()) return;
  save();
  print_format("%s\n", f.training.path("adapter").c_str());
}

}  // namespace

void add_finetune(CLI::App& app) {
  const auto f = std::make_shared<FinetuneFlags>();
  const Verb verb(app, "finetune",
                  "Teach a model by examples: a LoRA adapter for texts, prompts and answers, or chats");
  add_flags(verb, *f, /*pairs=*/false);
  verb.run([f] {
    tune(*f, [&](train::Trainer& trainer, const ModelPtr& model, HeldOut& held_out, bool verbose) {
      trainer.learn(read_sequences(f->training.data, model, f->training.data_options(), verbose ? "data" : nullptr));
      held_out.sequences =
          read_sequences(f->training.held_out, model, f->training.data_options(), verbose ? "held out" : nullptr);
    });
  });
}

void add_dpo(CLI::App& app) {
  const auto f = std::make_shared<FinetuneFlags>();
  const Verb verb(app, "dpo",
                  "Teach a model which of two answers is better: a LoRA adapter by direct preference optimisation");
  add_flags(verb, *f, /*pairs=*/true);
  verb.option("--beta", f->beta, "how far the model may go from where it was (default 0.1; less is further)")
      .within(1e-6, 1e6);
  verb.run([f] {
    tune(*f, [&](train::Trainer& trainer, const ModelPtr& model, HeldOut& held_out, bool verbose) {
      trainer.learn(read_pairs(f->training.data, model, f->training.data_options(), verbose ? "data" : nullptr));
      held_out.pairs =
          read_pairs(f->training.held_out, model, f->training.data_options(), verbose ? "held out" : nullptr);
      held_out.reference = trainer.reference_of(held_out.pairs);
    });
  });
}

}  // namespace puna::cli
