// train_steps.cpp -- Puna's side of train_peers.py: opens a model, then answers each line "N" on its input with N
// training steps, a line of JSON a step, and the end of its input with the peak of memory. Sequences are rows of a file
// of int32 tokens: a step takes them all when there are as many as --batch.
//   train_steps MODEL TOKENS --seq 512 --batch 4 [--threads 2] [--lora 8] [--providers onednn] [--bf16] [--exact]
//   [--checkpoint]
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "base/os.h"
#include "bench/bench_options.h"
#include "puna/model/adapter.h"
#include "puna/train/trainer.h"

using namespace puna;

namespace {

std::vector<train::Sequence> sequences_of(const std::string& path, int64_t length) {
  const std::string bytes = os::read_file(path, uint64_t(1) << 30);
  std::vector<int32_t> tokens(bytes.size() / 4);
  memcpy(tokens.data(), bytes.data(), tokens.size() * 4);
  std::vector<train::Sequence> all;
  for (int64_t i = 0; i + length <= int64_t(tokens.size()); i += length)
    all.push_back({{tokens.begin() + i, tokens.begin() + i + length}, std::vector<uint8_t>(size_t(length), 1)});
  return all;
}

void run(const bench::Words& words) {
  PUNA_REQUIRE(words.rest.size() == 2, "expected MODEL TOKENS");
  const int64_t length = words.number("--seq", 512), rank = words.number("--lora", 0);
  const ContextPtr context = bench::context_of(words);
  ModelPtr model = Model::open(context, words.rest[0]);
  train::Parameters parameters(context);
  Llama llama = model->llama();
  std::shared_ptr<Adapter> adapter;
  if (rank > 0) {
    AdapterOptions lora;
    lora.rank = rank;
    lora.alpha = double(2 * rank);
    adapter = Adapter::create(*context, llama, lora);
    parameters.track(*adapter);
  } else {
    llama = train::make_trainable(model->llama(), parameters);
    model.reset();
  }
  train::TrainerOptions options;
  options.optimizer.learning_rate = 1e-3;
  options.schedule.kind = train::ScheduleKind::constant;
  options.steps = 1 << 20;
  options.tokens_per_step = options.tokens_per_pass = length * words.number("--batch", 4);
  options.pass.exact = words.has("--exact") || rank == 0;
  options.pass.checkpoint = words.has("--checkpoint");
  options.pass.providers = words.has("--bf16") ? AllowProviders::bf16 : AllowProviders::f32;
  train::Trainer trainer(parameters, llama, adapter.get(), options);
  trainer.learn(sequences_of(words.rest[1], length));
  puts("{\"ready\": true}");
  fflush(stdout);
  for (std::string line; std::getline(std::cin, line);)
    for (int64_t i = std::stoll(line); i > 0; --i) {
      const auto start = std::chrono::steady_clock::now();
      const train::StepReport r = trainer.step();
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      printf("{\"loss\": %.7f, \"grad_norm\": %.7f, \"tokens\": %jd, \"seconds\": %.5f}\n", r.loss, r.grad_norm,
             r.tokens, seconds);
      fflush(stdout);
    }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"peak_rss\": %lld}\n", static_cast<long long>(usage.ru_maxrss) * 1024);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(bench::Words(argc, argv, "--seq --batch --threads --lora --providers --isa"));
  } catch (const Error& e) {
    fprintf(stderr, "train_steps: %s\n", e.what());
    return 1;
  }
}
