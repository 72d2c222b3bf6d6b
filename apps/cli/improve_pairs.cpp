// puna improve --pairs: DPO on a budget of preferences, measured on pairs that were held out, and what it cost in
// perplexity.
#include <algorithm>
#include <cstdio>
#include <numeric>

#include "base/det_math.h"
#include "base/format.h"
#include "base/os.h"
#include "improve.h"
#include "io/json_parts.h"
#include "io/json_rows.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/eval/statistics.h"
#include "puna/runtime/adapter_file.h"
#include "puna/runtime/generate.h"
#include "puna/runtime/prompt.h"
#include "training_data.h"

namespace puna::cli {
namespace improving {
namespace {

void add_to(Hash& hash, const train::Preference& p) {
  for (const train::Sequence* s : {&p.chosen, &p.rejected}) {
    hash.add(s->tokens.data(), s->tokens.size() * sizeof(int32_t));
    hash.add(s->counted.data(), s->counted.size() * sizeof(s->counted[0]));
  }
}

// A row's pair, and its words for the search for duplicates.
struct Pair {
  train::Preference tokens;
  std::string text;
};

std::vector<Pair> read_rows(const std::string& path, const ModelPtr& model, int64_t max_tokens, const Watch& watch) {
  const DataFile file(path);
  train::TextCodec codec = codec_of(model);
  codec.watch = &watch;
  train::DataOptions options;
  options.max_tokens = max_tokens;
  options.date = today();
  train::DataReport report;
  std::vector<Pair> pairs;
  io::each_row(file.bytes(), path, watch, [&](const io::Place& place, std::string_view row) {
    std::vector<train::Preference> one;
    train::add_preferences(one, codec, row, place.text(), options, &report);
    if (one.empty()) return;  // too long
    pairs.push_back({std::move(one[0]), ""});
    io::each_text(row, "", watch, [&](std::string_view key, const std::string& text) {
      if (key != "rejected") pairs.back().text += text + "\n";
    });
  });
  for (const std::string& sentence : report.sentences()) fprintf(stderr, "puna: note: %s\n", sentence.c_str());
  if (pairs.empty())
    fail(Status::bad_file, "%s: none of %jd pairs has at most %jd tokens", path.c_str(), intmax_t(report.lines),
         intmax_t(max_tokens));
  fprintf(stderr, "puna: %s: %zu pairs, %jd longer than %jd tokens and left out\n", path.c_str(), pairs.size(),
          intmax_t(report.left_out), intmax_t(max_tokens));
  return pairs;
}

double perplexity_of(const std::string& text, const ModelPtr& model, const AdapterPtr& adapter,
                     const Interrupt& interrupt, double& error) {
  constexpr int64_t kWindow = 256, kMostTokens = 8192;
  std::vector<int32_t> tokens = encode_prompt(model->require_tokenizer(), text, false);
  if (tokens.size() > size_t(kMostTokens)) tokens.resize(size_t(kMostTokens));
  SessionOptions options;
  options.adapter = adapter;
  ProgressBar bar("perplexity");
  const Perplexity p = perplexity(model, options, tokens, kWindow, [&](int64_t done, int64_t total) {
    bar.update(uint64_t(done), uint64_t(total));
    return !interrupt.requested();
  });
  error = p.standard_error;
  return p.mean_nll;
}

int64_t chosen_likelier(const std::vector<train::PairLogProbs>& all) {
  return std::count_if(all.begin(), all.end(), [](const train::PairLogProbs& p) { return p.chosen > p.rejected; });
}

}  // namespace
}  // namespace improving

void improve_by_pairs(const ImproveFlags& f) {
  using namespace improving;
  const int64_t budget = labels_of(f.budget);
  const std::vector<uint64_t> seeds = seeds_of(f.seeds);
  if (!f.arms.empty() && f.arms != std::vector<std::string>{"random"})
    fail(Status::invalid_argument, "--arm: pairs are chosen at random");
  const auto folder_of = [&](uint64_t seed) { return f.out + "/pairs-seed" + std::to_string(seed); };
  for (const uint64_t seed : seeds)
    if (os::is_directory(folder_of(seed)) && !f.resume && !f.overwrite)
      fail(Status::invalid_argument,
           "%s has a model that was learned: --resume goes on behind it, --overwrite begins anew",
           folder_of(seed).c_str());
  const std::string text = f.text.empty() ? "" : read_input(f.text);  // once: it may be standard input
  const ModelPtr model = f.model.open(/*trains=*/true);
  require_learnable(f, model);
  std::vector<Pair> pairs, held;
  stoppable([&](const Watch& watch) {
    pairs = read_rows(f.pairs, model, f.max_tokens, watch);
    if (!f.held_out_pairs.empty()) held = read_rows(f.held_out_pairs, model, f.max_tokens, watch);
  });
  if (held.empty()) {  // the same split whatever the seed
    const std::vector<int64_t> order = train::shuffled(int64_t(pairs.size()), 0, 0);
    const size_t n = std::max<size_t>(1, size_t(double(f.share) * double(pairs.size())));
    std::vector<Pair> rest;
    for (size_t i = 0; i < order.size(); ++i) (i < n ? held : rest).push_back(std::move(pairs[size_t(order[i])]));
    pairs = std::move(rest);
  }
  std::vector<std::string_view> texts, tests;
  for (const Pair& p : pairs) texts.push_back(p.text);
  for (const Pair& p : held) tests.push_back(p.text);
  const improve::Checked checked =
      stoppable([&](const Watch& watch) { return improve::check_texts(texts, tests, watch); });
  std::vector<int64_t> usable;
  for (size_t i = 0; i < pairs.size(); ++i)
    if (checked.kept[i]) usable.push_back(int64_t(i));
  if (int64_t(usable.size()) < budget)
    fail(Status::invalid_argument, "%s has %zu pairs that may be learned, fewer than the budget of %jd",
         f.pairs.c_str(), usable.size(), intmax_t(budget));
  os::make_folder(f.out);
  Interrupt interrupt;
  const auto stop = [&] { return interrupt.requested(); };
  std::vector<train::Preference> held_out;
  for (Pair& p : held) held_out.push_back(std::move(p.tokens));

  std::string report;
  const auto say = [&](const std::string& line) {
    report += line;
    print(line);
  };
  say(format(
      "# What %jd preferences gained\n\nModel %s, DPO with beta %g. %zu pairs held out; left out of the others: %jd "
      "duplicates, %jd nearly the same as a held-out pair, %jd with 13 words in a row of one.\n\n",
      intmax_t(budget), f.model.path.c_str(), double(f.learn.beta), held_out.size(), intmax_t(checked.duplicates),
      intmax_t(checked.near_tests), intmax_t(checked.in_tests)));
  Hash made_from = hash_of_learning(f);
  made_from.add_value(budget);
  for (const int64_t i : usable) add_to(made_from, pairs[size_t(i)].tokens);
  for (const train::Preference& p : held_out) add_to(made_from, p);
  made_from.add(text);
  std::optional<double> before;
  double error = 0;
  std::string before_line;
  const auto say_before = [&](const std::string& line) {
    if (before_line.empty()) say(line);
    before_line = line;
  };
  std::vector<train::PairLogProbs> reference;
  for (const uint64_t seed : seeds) {
    Hash of_seed = made_from;
    of_seed.add_value(seed);
    const KeptRound kept(folder_of(seed), of_seed.value());
    const auto found = f.resume ? kept.find() : std::nullopt;
    if (found) {
      if (!found->is_array() || found->size() != 2 || !(*found)[0].is_string() || !(*found)[1].is_string())
        fail_changed(folder_of(seed) + "/round.json");
      fprintf(stderr, "puna: seed %ju was learned already\n", uintmax_t(seed));
      say_before((*found)[0].get<std::string>());
      say((*found)[1].get<std::string>());
      continue;
    }
    if (!f.text.empty() && !before) before = perplexity_of(text, model, nullptr, interrupt, error);
    LearnOptions options = f.learn;
    options.seed = seed;
    options.providers = f.model.providers_of_training();
    AdapterTraining training(model, options);
    train::Trainer& trainer = training.trainer();
    if (reference.empty()) {
      reference = trainer.reference_of(held_out, stop);
      const eval::Interval i = eval::wilson_interval(chosen_likelier(reference), int64_t(reference.size()));
      say_before(format(
          "Before: the chosen answer is likelier in %.1f %% of the held-out pairs, 95 %% interval %.1f to %.1f.\n\n",
          100 * double(chosen_likelier(reference)) / double(reference.size()), 100 * i.low, 100 * i.high));
    }
    const std::vector<int64_t> order = train::shuffled(int64_t(usable.size()), seed, 0);
    std::vector<train::Preference> drawn;
    for (int64_t i = 0; i < budget; ++i) drawn.push_back(pairs[size_t(usable[size_t(order[size_t(i)])])].tokens);
    const double start = seconds_now();
    trainer.learn(std::move(drawn), stop);
    const Learned learned = training.run(interrupt);
    const double seconds = seconds_now() - start;
    const train::PairScores s = trainer.evaluate(held_out, reference, stop);
    const auto right = int64_t(s.preferred * double(held_out.size()) + 0.5);
    const eval::Interval i = eval::wilson_interval(right, int64_t(held_out.size()));
    std::string lines = format(
        "Seed %ju: prefers the chosen answer, against the model before, in %.1f %% of the held-out pairs, 95 %% "
        "interval %.1f to %.1f%s; margin %.3f; %jd steps in %.0f s.\n",
        uintmax_t(seed), 100 * s.preferred, 100 * i.low, 100 * i.high,
        i.low > 0.5 ? "" : ", which does not exclude chance", s.margin, intmax_t(learned.steps), seconds);
    save_adapter(*learned.adapter, folder_of(seed));
    if (before) {
      const double after = perplexity_of(text, model, learned.adapter, interrupt, error);
      lines += format("  perplexity of %s: %.3f before, %.3f after: drift %+.2f %% (+- %.2f %%)\n", f.text.c_str(),
                      det::exp(*before), det::exp(after), 100 * (det::exp(after - *before) - 1), 100 * error);
    }
    say(lines);
    kept.keep(OrderedJson::array({before_line, lines}));
  }
  if (f.text.empty()) say("\nNo --text was given: what became of the perplexity is not known.\n");
  write_text(f.out + "/report.md", report);
  fprintf(stderr, "puna: %s/report.md\n", f.out.c_str());
}

}  // namespace puna::cli
