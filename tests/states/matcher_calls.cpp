// matcher_calls.cpp -- matchers that a host asks itself, against the lists of texts that their grammars are.
#include <algorithm>

#include "states/armed.h"

namespace puna::test::states {

MatcherRules::~MatcherRules() { puna_matcher_free(handle); }

// All that a matcher says of its place.
void Machine::check_matcher(const MatcherRules& m) {
  const std::string& call = script.back();
  const ChoiceRules& rules = m.rules;
  std::vector<uint32_t> mask((size_t(subject_.vocabulary()) + 31) / 32, 0xDEADBEEF);
  const puna_status masked = puna_matcher_mask(m.handle, mask.data(), mask.size());
  require(masked == PUNA_OK, call + ": mask: " + puna_last_error());
  uint64_t allowed = 0;
  for (int32_t id = 0; id < subject_.vocabulary(); ++id) {
    const bool bit = mask[size_t(id) / 32] >> (id % 32) & 1;
    allowed += bit;
    require(bit == rules.allows(id), words(call, ": its mask says ", bit, " of token ", id, ", the rules do not"));
  }
  auto info = sized<puna_matcher_info>();
  require(puna_matcher_get_info(m.handle, &info) == PUNA_OK, call + ": get_info failed");
  require(info.whole == int32_t(rules.whole()) && info.ended == int32_t(rules.ended()) && info.token_count == allowed,
          words(call, ": whole ", info.whole, ", ended ", info.ended, ", ", info.token_count,
                " tokens may come; the rules say ", rules.whole(), ", ", rules.ended(), ", ", allowed));
  puna_buffer* text = nullptr;
  require(puna_buffer_create(&text) == PUNA_OK, "a buffer failed");
  const auto said = [&] {
    return std::string(static_cast<const char*>(puna_buffer_data(text)), puna_buffer_size(text));
  };
  const puna_status forced = puna_matcher_forced_text(m.handle, text);
  const std::string forced_text = said();
  const puna_status completed = puna_matcher_completion(m.handle, text);
  const std::string completion = said();
  puna_buffer_free(text);
  require(forced == PUNA_OK && forced_text == rules.forced(), words(call, ": forced text '", forced_text, "'"));
  require(completed == PUNA_OK && completion == rules.completion(), words(call, ": completion '", completion, "'"));
}

void Machine::create_matcher(const Op& op) {
  std::unique_ptr<MatcherRules>& to = matchers_[op.n[4] % kMatchers];
  if (to || subject_.grammars.empty()) return;
  const size_t which = op.n[1] % kChoices.size();
  std::vector<int32_t> stops;
  for (uint32_t i = 0; i < op.n[2] % 3; ++i) stops.push_back(int32_t(op.n[2] / 4 % 40 + i));
  const bool wrong = op.n[3] % 16 == 0;
  if (wrong) stops.push_back(op.n[3] / 16 % 2 ? -1 : subject_.vocabulary() + 7);
  auto o = sized<puna_matcher_options>();
  o.stop_tokens = stops.data();
  o.stop_token_count = stops.size();
  puna_grammar* own = nullptr;  // of its own, freed before the matcher is
  const std::string list = json_list(kChoices[which]);
  auto kind = sized<puna_grammar_options>();
  kind.kind = PUNA_GRAMMAR_CHOICES;
  if (op.n[3] / 32 % 2 == 0)
    require(puna_grammar_create(list.data(), list.size(), &kind, &own) == PUNA_OK, "a grammar failed");
  script.push_back(words("m", op.n[4] % kMatchers, " = matcher_create(", own ? "own " : "", "grammar ", which,
                         ", stop_tokens ", text(stops), ")"));
  puna_matcher* handle = nullptr;
  const puna_status got = puna_matcher_create(own ? own : subject_.grammars[which], subject_.model, &o, &handle);
  puna_grammar_free(own);
  Refusals refusals;
  refusals.when(wrong, PUNA_INVALID_ARGUMENT);
  require_status(script.back(), got, refusals);
  if (wrong) return;
  if (stops.empty()) stops = subject_.own_stops;
  to = std::make_unique<MatcherRules>(handle, ChoiceRules(kChoices[which], subject_.tokens, stops));
  check_matcher(*to);
}

void Machine::matcher_call(const Op& op) {
  std::unique_ptr<MatcherRules>* found = nullptr;
  for (size_t k = 0; k < kMatchers && !found; ++k)
    if (matchers_[(op.n[4] + k) % kMatchers]) found = &matchers_[(op.n[4] + k) % kMatchers];
  if (!found) return create_matcher(op);
  MatcherRules& m = **found;
  const std::string name = words("m", found - matchers_.data());
  switch (op.n[1] % 16) {
    case 0: {
      script.push_back("matcher_free(" + name + ")");
      found->reset();
      return;
    }
    case 1: {
      script.push_back("matcher_reset(" + name + ")");
      require(puna_matcher_reset(m.handle) == PUNA_OK, script.back() + " failed");
      m.rules.reset();
      break;
    }
    case 2:
    case 3: {
      std::unique_ptr<MatcherRules>& to = matchers_[op.n[2] % kMatchers];
      if (to) return;
      script.push_back(words("m", op.n[2] % kMatchers, " = matcher_fork(", name, ")"));
      puna_matcher* copy = nullptr;
      require(puna_matcher_fork(m.handle, &copy) == PUNA_OK, script.back() + " failed");
      to = std::make_unique<MatcherRules>(copy, m.rules);
      check_matcher(*to);
      break;
    }
    case 4:
    case 5:
    case 6:
    case 7: {  // text: the beginning of an end, now and then with something else behind it
      std::string more = m.rules.completion().substr(0, op.n[2] % 5);
      if (op.n[3] % 4 == 0) more += char('0' + op.n[3] / 4 % 60);
      script.push_back("matcher_accept_text(" + name + ", \"" + more + "\")");
      const bool taken = more.empty() || m.rules.allows_text(more);
      Refusals refusals;
      refusals.when(!taken, PUNA_INVALID_ARGUMENT);
      require_status(script.back(), puna_matcher_accept_text(m.handle, more.data(), more.size()), refusals);
      if (taken) m.rules.take_text(more);
      break;
    }
    default: {  // a token that may come, where there is one; now and then any
      std::vector<int32_t> may;
      for (int32_t id = 0; id < subject_.vocabulary(); ++id)
        if (m.rules.allows(id)) may.push_back(id);
      const bool any = may.empty() || op.n[3] % 8 == 0;
      const int32_t id = any ? int32_t(op.n[2] % uint32_t(subject_.vocabulary() + 3)) - 1 : may[op.n[2] % may.size()];
      script.push_back(words("matcher_accept(", name, ", ", id, ")"));
      const bool taken = m.rules.allows(id);
      Refusals refusals;
      refusals.when(!taken, PUNA_INVALID_ARGUMENT);
      require_status(script.back(), puna_matcher_accept(m.handle, id), refusals);
      if (taken) m.rules.take(id);
    }
  }
  check_matcher(m);
}

}  // namespace puna::test::states
