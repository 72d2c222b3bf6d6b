#include "ads/creative/writer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "ads/creative/tokens.h"
#include "ads/creative/vocabulary.h"
#include "base/hash.h"
#include "puna/base/error.h"
#include "puna/text/duplicates.h"
#include "puna/text/graphemes.h"

namespace puna::ads {
namespace {

constexpr double kAlike = 0.7;         // two texts of a field are nearly the same from here on
constexpr int32_t kAnswers = 8;        // of one request
constexpr size_t kWithoutModel = 400;  // texts that are tried

std::string comparable(const std::string& text) {
  std::string words;
  for (const Token& t : tokens_of(text))
    if (t.is_text()) words += t.folded + " ";
  return words;
}

// A word twice that is no ordinary one, or a sentence twice.
bool repeats_itself(const std::string& text) {
  std::set<std::string> words, sentences;
  std::string sentence;
  bool again = false;
  for (const Token& t : tokens_of(text)) {
    if (t.starts_sentence && !sentence.empty()) again |= !sentences.insert(std::exchange(sentence, "")).second;
    if (!t.is_text()) continue;
    sentence += t.folded + " ";
    if (t.folded.size() > 3 && !is_common_word(t.folded)) again |= !words.insert(t.folded).second;
  }
  return again || !sentences.insert(sentence).second;
}

}  // namespace

FieldWriter::FieldWriter(const Brief& brief, const Pieces& pieces, const Placement& placement,
                         const PlacementField& field, int64_t variants, const LintRules& rules, const Watch& watch)
    : brief_(brief), placement_(placement), field_(field), rules_(rules), watch_(watch), names_{brief.name} {
  names_.insert(names_.end(), brief.voice_words.begin(), brief.voice_words.end());
  context_ = {.placement = &placement,
              .field = &field,
              .facts = &pieces.lock,
              .language = brief.language,
              .banned = brief.banned,
              .competitors = brief.competitors,
              .names = names_};
  for (int64_t v = 0; v < variants; ++v)
    for (int64_t t = 0; t < field.least; ++t)
      slots_.push_back({size_t(v), t == 0 && field.one_within > 0 ? field.one_within : field.limit, false, {}});
  for (const int64_t limit : {field.limit, field.one_within}) {
    if (limit == 0) continue;
    Limited l;
    l.pieces = pieces_for(pieces, rules, context_, limit);
    l.shape = shape_of(field, limit);
    if (l.pieces.clauses.empty() && l.pieces.frames.empty())
      fail(Status::invalid_argument, "facts: nothing fits %s of %s (%jd characters)%s", field.name.c_str(),
           placement.id.c_str(), limit, l.pieces.refused ? (": " + l.pieces.refused_by).c_str() : "");
    l.grammar = text_grammar(l.pieces, placement, l.shape, watch);
    limited_.emplace_back(limit, std::move(l));
  }
}

const FieldWriter::Limited& FieldWriter::at(int64_t limit) const {
  return std::find_if(limited_.begin(), limited_.end(), [&](const auto& l) { return l.first == limit; })->second;
}

size_t FieldWriter::facts() const { return at(field_.limit).pieces.facts; }

std::string FieldWriter::why_none() const {
  const FieldPieces& p = at(field_.limit).pieces;
  std::string why;
  if (p.too_long)
    why += std::to_string(p.too_long) + " are longer than " + std::to_string(field_.limit) + " characters";
  if (p.refused)
    why += (why.empty() ? "" : ", ") + std::to_string(p.refused) + " are refused by lint (" + p.refused_by + ")";
  return why;
}

int64_t FieldWriter::missing() const {
  return std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) { return !s.filled; });
}

int64_t FieldWriter::asked() const {
  int64_t n = 0;
  for (const Request& r : requests_) n += r.answers;
  return n;
}

int64_t FieldWriter::answered() const {
  int64_t n = 0;
  for (const Request& r : requests_) n += r.running->ended() ? r.answers : 0;
  return n;
}

void FieldWriter::submit(Engine& engine, const Prompts& prompts, const PlanOptions& options, uint64_t seed) {
  for (const auto& [limit, limited] : limited_)
    for (size_t segment = 0; segment < brief_.segments.size(); ++segment) {
      int64_t wanted = std::count_if(slots_.begin(), slots_.end(), [&](const Slot& s) {
        return !s.filled && s.limit == limit && segment_of(s.variant) == segment;
      });
      if (wanted == 0) continue;
      wanted += 1 + wanted / 2;  // some will say the same
      // Each byte may be a token; the grammar ends the text long before.
      const auto answer = int64_t(limited.grammar.longest) + 2;
      EngineRequestOptions r;
      r.prompt.tokens = prompts.tokens(segment, field_, limit, answer);
      Hash prompt;
      prompt.add(r.prompt.tokens.data(), r.prompt.tokens.size() * sizeof(int32_t));
      r.generate.sampler.temperature = options.temperature;
      r.generate.sampler.top_p = options.top_p;
      r.generate.max_tokens = answer;
      r.generate.log_probabilities = 1;  // the likelier ones are taken first
      r.generate.grammar = limited.grammar.grammar;
      if (options.adapter) r.adapters = {{options.adapter, 1}};
      for (; wanted > 0; wanted -= kAnswers) {
        Hash own;
        for (const uint64_t part : {seed, uint64_t(limit), uint64_t(segment), uint64_t(wanted)}) own.add_value(part);
        r.n = int32_t(std::min<int64_t>(wanted, kAnswers));
        r.generate.sampler.seed = own.value() >> 12;  // a number that JSON's readers keep
        r.max_events = 1 << 20;                       // they are not read: the answers are
        requests_.push_back({limit, segment, r.generate.sampler.seed, prompt.value(), r.n, engine.submit(r)});
      }
    }
}

bool FieldWriter::is_new(const std::string& text) const {
  const std::string words = comparable(text);
  for (const Slot& s : slots_) {
    if (!s.filled) continue;
    if (comparable(s.text.text) == words) return false;
    for (const int64_t shingle : {1, 3})
      if (similarity_of(s.text.text, text, shingle) >= kAlike) return false;
  }
  return true;
}

PlannedText FieldWriter::described(const std::string& text, int64_t limit, std::vector<Finding> findings) const {
  PlannedText t;
  t.field = field_.name;
  t.text = text;
  t.length = length_in(placement_, text);
  t.limit = limit;
  t.utf16 = text_length(text).utf16;
  t.findings = std::move(findings);
  // A clause that stands in the text word for word; otherwise facts whose words it takes.
  const std::string line = " " + comparable(text);
  std::vector<size_t> facts;
  for (const Clause& c : at(limit).pieces.clauses)
    if (c.fact >= 0 && line.find(" " + comparable(c.text)) != line.npos) facts.push_back(size_t(c.fact));
  const std::string name = " " + comparable(brief_.name);  // it needs no fact
  for (const Claim& c : FactLock::claims_of(text)) {
    if (name.find(" " + comparable(text.substr(c.begin, c.end - c.begin))) != name.npos) continue;
    for (const size_t f : context_.facts->facts_of(c)) facts.push_back(f);
  }
  for (const Token& token : tokens_of(text))
    if (token.kind == Token::word && name.find(" " + token.folded + " ") == name.npos && token.folded.size() > 3 &&
        !is_common_word(token.folded))
      for (const size_t f : context_.facts->facts_of({0, 0, "name", token.folded})) {
        facts.push_back(f);
        break;  // the first that has it
      }
  std::sort(facts.begin(), facts.end());
  facts.erase(std::unique(facts.begin(), facts.end()), facts.end());
  for (const size_t f : facts) t.facts.push_back(brief_.facts[f].id);
  return t;
}

void FieldWriter::collect(Plan& plan) {
  struct Candidate {
    const Request* request;
    PlannedText text;
    int rank;  // 0: says something of the facts, 1: of nothing in particular, 2: it repeats itself,
               // 3: somebody has to look
    double likely;
  };
  std::vector<Candidate> candidates;
  for (const Request& r : requests_) {
    const EngineRequestInfo info = r.running->info();
    // A vocabulary without the bytes of these facts cannot write them: they are put together without it.
    if (info.outcome == EngineOutcome::failed && info.status == Status::invalid_argument) {
      const std::string note = "the model: " + info.message;
      if (std::find(plan.notes.begin(), plan.notes.end(), note) == plan.notes.end()) plan.notes.push_back(note);
      continue;
    }
    if (info.outcome != EngineOutcome::finished) fail(info.status, "%s", info.message.c_str());
    const std::vector<EngineAnswer> answers = r.running->answers();
    for (size_t i = 0; i < answers.size(); ++i) {
      const GenerateResult& answer = answers[i].result;
      ++plan.written;
      if (!answer.whole || length_in(placement_, answer.text) > r.limit) {
        ++plan.incomplete;
        continue;
      }
      std::vector<Finding> findings = rules_.lint(answer.text, context_);
      if (has_errors(findings)) {
        ++plan.refused;
        for (const Finding& f : findings)
          if (f.severity == Severity::error) ++plan.refused_by[f.rule];
        continue;
      }
      ++plan.passed_lint;
      const bool reviewed = std::any_of(findings.begin(), findings.end(),
                                        [](const Finding& f) { return f.severity == Severity::review; });
      Candidate c{&r, described(answer.text, r.limit, std::move(findings)), 0, answers[i].mean_log_probability};
      c.rank = reviewed ? 3 : repeats_itself(answer.text) ? 2 : c.text.facts.empty() ? 1 : 0;
      c.text.by_model = true;
      c.text.seed = r.seed + i;
      c.text.prompt_hash = r.prompt_hash;
      c.text.grammar_hash = at(r.limit).grammar.hash;
      candidates.push_back(std::move(c));
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.likely > b.likely;
  });
  for (Candidate& c : candidates) {
    watch_.tick(1000);
    const auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& s) {
      return !s.filled && s.limit == c.request->limit && segment_of(s.variant) == c.request->segment;
    });
    if (slot == slots_.end()) continue;
    if (!is_new(c.text.text)) {
      ++plan.duplicates;
      continue;
    }
    slot->text = std::move(c.text);
    slot->filled = true;
  }
  requests_.clear();
}

bool FieldWriter::complete(Plan& plan) {
  for (auto& [limit, limited] : limited_) {
    if (std::none_of(slots_.begin(), slots_.end(), [&, l = limit](const Slot& s) { return !s.filled && s.limit == l; }))
      continue;
    for (const std::string& text : plain_texts(limited.pieces, placement_, limited.shape, kWithoutModel)) {
      watch_.tick(1000);
      const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                     [&, l = limit](const Slot& s) { return !s.filled && s.limit == l; });
      if (slot == slots_.end()) break;
      if (!is_new(text)) continue;
      std::vector<Finding> findings = rules_.lint(text, context_);
      if (has_errors(findings)) continue;
      slot->text = described(text, limit, std::move(findings));
      slot->filled = true;
      ++plan.without_model;
    }
  }
  // There is nothing new any more: what another variant has, and this one has not.
  bool all = true;
  for (Slot& s : slots_) {
    if (s.filled) continue;
    for (size_t k = 0; k < slots_.size() && !s.filled; ++k) {
      const Slot& other = slots_[(k + s.variant) % slots_.size()];
      if (!other.filled || other.variant == s.variant || other.text.length > s.limit) continue;
      const bool has = std::any_of(slots_.begin(), slots_.end(), [&](const Slot& own) {
        return own.filled && own.variant == s.variant && own.text.text == other.text.text;
      });
      if (has) continue;
      s.text = other.text;
      s.text.limit = s.limit;
      s.filled = true;
    }
    all &= s.filled;
  }
  return all;
}

}  // namespace puna::ads
