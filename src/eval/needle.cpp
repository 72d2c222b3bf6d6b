#include "puna/eval/needle.h"

#include <algorithm>
#include <cmath>

#include "puna/base/error.h"
#include "puna/base/philox.h"
#include "puna/runtime/generate.h"
#include "runtime/generate/score_softmax.h"

namespace puna::eval {
namespace {

constexpr const char* kAdjectives[] = {"quiet", "amber", "hollow", "gentle", "rapid", "silver", "distant", "early"};
constexpr const char* kNouns[] = {"harbour", "lantern", "meadow", "engine", "orchard", "violin", "glacier", "market"};
constexpr size_t kWords = std::size(kAdjectives);

uint64_t drawn(uint64_t seed, uint64_t which, uint64_t below) {
  const Philox r = philox(seed, which, 0x6e6565646c65);
  return uint64_t(r.word[0]) * below >> 32;
}

std::string value_text(uint64_t seed, uint64_t n) { return std::to_string(1'000'000 + drawn(seed, 2 * n, 9'000'000)); }

// Different for the first 64: a step through all pairs that shares no factor with their number.
std::string key_text(uint64_t seed, uint64_t n) {
  const uint64_t at = (drawn(seed, 999, kWords * kWords) + 27 * n) % (kWords * kWords);
  return std::string(kAdjectives[at / kWords]) + " " + kNouns[at % kWords];
}

std::string needle_text(const std::string& key, const std::string& value) {
  return "One of the special magic numbers for " + key + " is: " + value + ". ";
}

std::string listed_keys(const std::vector<std::string>& keys) {
  std::string all;
  for (size_t i = 0; i < keys.size(); ++i) all += (i == 0 ? "" : i + 1 == keys.size() ? ", and " : ", ") + keys[i];
  return all;
}

}  // namespace

std::vector<std::string_view> sentences_of(std::string_view text) {
  std::vector<std::string_view> all;
  size_t from = 0;
  const auto is_end = [](char c) { return c == '.' || c == '!' || c == '?'; };
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (!is_end(text[i]) || !is_space(text[i + 1])) continue;
    size_t end = i + 1;
    while (end < text.size() && is_space(text[end])) ++end;
    all.push_back(text.substr(from, end - from));
    from = end;
    i = end - 1;
  }
  PUNA_REQUIRE(!all.empty(), "the haystack has no sentence: expected '.', '!' or '?' and white space behind it");
  return all;
}

NeedlePrompt needle_prompt(const std::vector<std::string_view>& sentences, NeedleKind kind, double depth,
                           int64_t needles, uint64_t seed) {
  PUNA_REQUIRE(depth >= 0 && depth <= 1, "depth is %g, expected 0 to 1", depth);
  PUNA_REQUIRE(needles >= 1 && needles <= 64, "%jd needles, expected 1 to 64", needles);
  const auto count = uint64_t(kind == NeedleKind::single ? 1 : needles);
  struct Needle {
    size_t before;  // which sentence
    std::string text;
  };
  std::vector<Needle> placed;
  std::vector<std::string> keys;
  NeedlePrompt prompt;
  for (uint64_t n = 0; n < count; ++n) {
    const std::string key = key_text(seed, kind == NeedleKind::multi_value ? 0 : n), value = value_text(seed, n);
    const size_t place = n == 0 ? size_t(std::floor(depth * double(sentences.size())))
                                : size_t(drawn(seed, 2 * n + 1, sentences.size() + 1));
    placed.push_back({place, needle_text(key, value)});
    if (n == 0 || kind == NeedleKind::multi_query) keys.push_back(key);
    if (n == 0 || kind != NeedleKind::multi_key) prompt.values.push_back(value);
  }
  for (size_t s = 0; s <= sentences.size(); ++s) {
    for (const Needle& n : placed)
      if (n.before == s) prompt.text += n.text;
    if (s < sentences.size()) prompt.text += sentences[s];
  }
  const bool several = prompt.values.size() > 1;
  const std::string what = (several ? "special magic numbers for " : "special magic number for ") + listed_keys(keys) +
                           " mentioned in the provided text ";
  prompt.text += "\n\nWhat " + std::string(several ? "are all the " : "is the ") + what.substr(0, what.size() - 1) +
                 "? The " + what + (several ? "are" : "is");
  return prompt;
}

std::vector<NeedleCell> find_needles(const ModelPtr& model, std::string_view haystack, const NeedleOptions& options,
                                     FunctionRef<bool(const NeedleCell&)> on_cell, const Watch& watch) {
  PUNA_REQUIRE(model != nullptr, "model is NULL");
  PUNA_REQUIRE(options.depths >= 1 && options.depths <= 1000, "%jd depths, expected 1 to 1000", options.depths);
  PUNA_REQUIRE(!options.lengths.empty(), "no lengths");
  const Tokenizer& tokenizer = model->require_tokenizer();
  Session session(model, options.session);
  const auto encode = [&](const std::string& text) { return encode_prompt(tokenizer, text, false, true, watch); };
  const std::vector<std::string_view> once = sentences_of(haystack);
  std::vector<NeedleCell> cells;
  for (const int64_t length : options.lengths) {
    const NeedlePrompt bare = needle_prompt({}, options.kind, 0, options.needles, options.seed);
    int64_t value_tokens = 0;
    for (const std::string& v : bare.values) value_tokens += int64_t(tokenizer.encode(" " + v, false).size()) + 1;
    const int64_t answer = options.max_answer > 0 ? options.max_answer : value_tokens + value_tokens / 2;
    if (length + answer > session.max_positions())
      fail(Status::context_full, "a prompt of %jd tokens and an answer of %jd do not fit: the context holds %jd",
           length, answer, session.max_positions());
    const auto shortest = int64_t(encode(bare.text).size());
    PUNA_REQUIRE(shortest <= length, "a length of %jd: needle and question alone take %jd tokens", length, shortest);
    // Sentences as long as they fit; tokens of sentences alone are a guess, the whole decides.
    std::vector<std::string_view> sentences;
    for (int64_t used = shortest; used < length; watch.tick(8)) {
      sentences.push_back(once[sentences.size() % once.size()]);
      used += int64_t(tokenizer.encode(sentences.back(), false, watch).size());
    }
    for (int64_t d = 0; d < options.depths; ++d) {
      NeedleCell cell;
      cell.length = length;
      cell.depth = options.depths == 1 ? 0.5 : double(d) / double(options.depths - 1);
      NeedlePrompt prompt;
      std::vector<int32_t> ids;
      while (true) {
        prompt = needle_prompt(sentences, options.kind, cell.depth, options.needles,
                               options.seed + uint64_t(d) * 7919 + uint64_t(length));
        ids = encode(prompt.text);
        if (int64_t(ids.size()) <= length || sentences.empty()) break;
        sentences.pop_back();
      }
      cell.tokens = int64_t(ids.size());
      // What the last cell's prompt began with alike stays.
      session.append(ids, {.kept = kept_of(ids, session.held())});
      const std::vector<int32_t> whole = encode(prompt.text + " " + prompt.values[0]);
      if (whole.size() > ids.size() && std::equal(ids.begin(), ids.end(), whole.begin())) {
        const std::unique_ptr<Session> fork = session.fork();
        cell.greedy = true;
        for (size_t t = ids.size(); t < whole.size(); ++t) {
          if (t > ids.size()) fork->append(std::span<const int32_t>(whole).subspan(t - 1, 1));
          const std::span<const float> logits = fork->logits();
          cell.log_likelihood += double(logits[size_t(whole[t])]) - log_sum_exp(logits);
          cell.greedy = cell.greedy && std::max_element(logits.begin(), logits.end()) - logits.begin() == whole[t];
        }
      }
      GenerateOptions g;
      g.max_tokens = answer;
      cell.answer = generate(session, {}, g).text;
      for (const std::string& v : prompt.values)
        cell.score += double(cell.answer.find(v) != std::string::npos) / double(prompt.values.size());
      if (!on_cell(cell)) fail(Status::cancelled, "stopped after %zu cells", cells.size() + 1);
      cells.push_back(std::move(cell));
    }
  }
  return cells;
}

}  // namespace puna::eval
