// puna train: a whole model, from nothing or from another model's weights.
#include <cstdio>

#include "puna/base/error.h"
#include "puna/runtime/new_model.h"
#include "puna/runtime/save.h"
#include "puna/text/train_bpe.h"
#include "run_log.h"
#include "training.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct TrainFlags {
  ModelFlags model;  // path: the model to go on from; may be empty
  TrainingFlags training;
  std::string config, tokenizer, chat_template, type;
  int64_t vocabulary = 4096;
};

// Everything the vocabulary is made from: what the training data say.
std::string all_text(const std::vector<std::string>& files) {
  std::string all;
  for (const std::string& f : files) {
    if (f == "-" || !os::is_file(f))
      fail(Status::invalid_argument,
           "%s would be read twice, for the vocabulary and for training: give a file, or --tokenizer", f.c_str());
    all += train::text_of_data(DataFile(f).bytes(), f);
  }
  return all;
}

ModelPtr starting_model(const TrainFlags& f) {
  if (!f.model.path.empty()) return f.model.open(/*trains=*/true);
  if (f.config.empty()) usage_error_missing("MODEL or --model-config");
  const ContextPtr context = f.model.make_context(/*trains=*/true);
  if (!f.tokenizer.empty()) {
    const Checkpoint other = load_checkpoint(*context, f.tokenizer);
    return new_model(context, f.config, other.metadata, f.training.seed);
  }
  BpeOptions bpe;
  bpe.vocabulary = f.vocabulary;
  if (!f.chat_template.empty()) bpe.chat_template = read_input(f.chat_template);
  return new_model(context, f.config, train_bpe(all_text(f.training.data), bpe), f.training.seed);
}

void run_train(const TrainFlags& f) {
  const std::optional<DType> type = f.type.empty() ? std::nullopt : std::optional(weight_type(f.type));
  MpiPeers mpi;
  if (mpi.first())
    require_own_folder(f.training.out, {"model.gguf", "loss.svg"}, f.training.resume, f.training.overwrite);
  ModelPtr start = starting_model(f);
  train::Parameters parameters(start->context_ptr());
  const Llama llama = train::make_trainable(start->llama(), parameters);
  start = start->with_weights(llama);  // the weights it came with go
  int64_t count = 0;
  for (const train::Parameter& p : parameters.list()) count += p.count;
  if (mpi.first()) fprintf(stderr, "%jd parameters in %zu tensors\n", count, parameters.list().size());
  HeldOut held_out;
  held_out.sequences =
      read_sequences(f.training.held_out, start, f.training.data_options(), mpi.first() ? "held out" : nullptr);
  train::TrainerOptions options = f.training.trainer_options();
  options.pass.providers = f.model.providers_of_training();
  train::Trainer trainer(parameters, llama, nullptr, options);
  trainer.learn(read_sequences(f.training.data, start, f.training.data_options(), mpi.first() ? "data" : nullptr));
  run_training(trainer, f.training, held_out, mpi);
  if (!mpi.first()) return;
  const std::string path = f.training.path("model.gguf");
  save_gguf(*start, path, {type, 0, nullptr});
  print_format("%s\n", path.c_str());
}

}  // namespace

void add_train(CLI::App& app) {
  const auto f = std::make_shared<TrainFlags>();
  const Verb verb(app, "train", "Train a model: from nothing (--model-config) or from a model's weights");
  verb.option("MODEL", f->model.path, "a model to go on from; none = a new one");
  f->model.add_computing(verb);
  verb.option("--model-config", f->config, "a Hugging Face config.json: the new model's shape");
  verb.option("--tokenizer", f->tokenizer,
              "a GGUF file whose tokenizer the new model takes; none = one is made from the data");
  verb.option("--vocabulary", f->vocabulary, "tokens of the tokenizer that is made (default 4096)").at_least(258);
  verb.option("--chat-template", f->chat_template, "a file with the new model's chat template");
  verb.option("--type", f->type, "weight type of the file that is written, e.g. Q8_0; none = F32");
  f->training.add(verb);
  verb.run([f] { run_train(*f); });
}

}  // namespace puna::cli
