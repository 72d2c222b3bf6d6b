// machine.h -- carries out random calls on real handles, one after the other, and on their rules, and compares the two
// after each.
#pragma once
#include <array>
#include <random>

#include "states/oracle.h"

namespace puna::test::states {

// A call in the abstract: which one, and the numbers that its arguments are made of. Any list of them can be carried
// out, so one that fails can be made shorter by leaving some out.
struct Op {
  uint32_t kind;
  std::array<uint32_t, 7> n;
};
std::vector<Op> random_ops(uint64_t seed);

// What the host's parallel_for does during a call; one a thread.
struct Trigger {
  enum class Kind { none, cancel, exception, reenter, no_memory, no_more_memory } kind = Kind::none;
  int64_t at = -1;  // the number of the run, or of the allocation; from there on none is granted, or all others are
  puna_session* session = nullptr;
  int64_t runs = 0;
  bool fired = false;
  bool refuses_memory() const { return kind == Kind::no_memory || kind == Kind::no_more_memory; }
  puna_status reentry_status =
      PUNA_WRONG_STATE;  // another status: the session allowed reentry from its own call's callback
};
Trigger& trigger();
puna_context_options host_with_triggers();

struct MatcherRules {
  puna_matcher* handle;
  ChoiceRules rules;
  MatcherRules(puna_matcher* h, ChoiceRules r) : handle(h), rules(std::move(r)) {}
  ~MatcherRules();
  MatcherRules(const MatcherRules&) = delete;
  MatcherRules& operator=(const MatcherRules&) = delete;
};

class Machine {
 public:
  Machine(const Subject& subject, Oracle& oracle, bool triggers)
      : subject_(subject), oracle_(oracle), triggers_(triggers) {}
  ~Machine();
  // Throws Difference.
  void run(const std::vector<Op>& ops);
  std::vector<std::string> script;  // the calls that were made

 private:
  struct Snapshot {
    std::string bytes;
    History held;
    bool has_logits, uncomputed, exact;
    int64_t max_positions;
  };
  struct Armed;
  struct Batch;

  void step(const Op& op);
  void create(const Op& op);
  void free_session(const Op& op);
  void append(const Op& op);
  void append_logits(const Op& op);
  void embed(const Op& op);
  void score(const Op& op);
  void append_batch(const Op& op);
  void begin(const Op& op);
  void begin_batch(const Op& op);
  void session_step(const Op& op);
  void cancel(const Op& op);
  void truncate(const Op& op);
  void fork(const Op& op);
  void snapshot(const Op& op);
  void restore(const Op& op);
  void use_adapter(const Op& op);
  void append_images(const Op& op);
  void begin_images(const Op& op);
  void append_shared(const Op& op);
  void create_generation(const Op& op);
  void free_generation(const Op& op);
  void generation_step(const Op& op);
  void generate(const Op& op);
  void create_matcher(const Op& op);
  void matcher_call(const Op& op);

  size_t slot(const Op& op, size_t i = 0) const { return op.n[i] % kSessions; }
  SessionPtr pick(const Op& op, size_t i = 0) const;  // NULL: there is none
  std::vector<int32_t> tokens(uint32_t n) const;
  History prompt(uint32_t n, bool images) const;  // with the tokens of images where there are any
  Batch batch(const Op& op) const;                // without sessions where none is picked
  Mode mode(const SessionRules& s) const { return {s.exact, s.adapter}; }
  std::string name(const SessionPtr& s) const;
  SessionPtr* free_slot();  // an empty slot, or NULL
  // Records the call and may set a trigger in `s`; the others take part in the call.
  Armed arm(const Op& op, const SessionPtr& s, const std::string& call, const std::vector<SessionPtr>& all = {});
  // True: the host had no memory for the call, and its sessions are as before, or cut where what was replaced had to
  // be released first.
  bool without_memory(puna_status got, const Refusals& refusals, const Armed& armed,
                      const std::vector<SessionPtr>& sessions);
  // Checks a call that appends to make `after` of the session. True: it was accepted.
  bool appended(puna_status got, const SessionPtr& s, const Refusals& refusals, Armed& armed, History after);
  std::string read_generate_options(const Op& op, GenerationRules& g, puna_generate_options& o,
                                    Refusals& refusals) const;
  void refuse_generation(Refusals& refusals, const GenerationRules& g) const;
  int32_t expected_token(const GenerationRules& g) const;
  void check(const SessionPtr& s, bool bits);
  void check_result(const GenerationRules& g);
  void check_matcher(const MatcherRules& m);

  static constexpr size_t kSessions = 4, kGenerations = 3, kMatchers = 3;
  const Subject& subject_;
  Oracle& oracle_;
  const bool triggers_;
  std::array<SessionPtr, kSessions> sessions_;
  std::array<std::unique_ptr<GenerationRules>, kGenerations> generations_;
  std::array<std::unique_ptr<Snapshot>, 2> snapshots_;
  std::array<std::unique_ptr<MatcherRules>, kMatchers> matchers_;
};

}  // namespace puna::test::states
