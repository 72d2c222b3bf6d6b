// scheduler.h -- the engine's inside. A step is: take in what was submitted, end what was cancelled, admit what fits,
// build a pass, run it, hand out the tokens. scheduler.cpp has the step; admission.cpp memory and slots; passes.cpp
// what a pass is made of and what becomes of it; beams.cpp beam search; endings.cpp events and ends.
#pragma once
#include <exception>
#include <map>
#include <thread>

#include "runtime/engine/costs.h"
#include "runtime/engine/request_state.h"
#include "runtime/engine/shared_pass.h"
#include "runtime/images/image_encoding.h"

namespace puna {

bool is_out_of_memory(const std::exception_ptr& error) noexcept;

class Scheduler {
 public:
  Scheduler(ModelPtr model, const EngineOptions& options);
  ~Scheduler();

  RequestStatePtr submit(EngineRequestOptions request);
  uint64_t retry_after_us() const noexcept;
  bool step(uint64_t budget_us);
  void start();
  void stop();
  EngineStats stats() const;
  // `work` on the cache while no step runs.
  void between_steps(FunctionRef<void(PrefixCache&)> work);
  uint64_t mode() const noexcept;  // of keys and values: exact, or their type

  const ModelPtr& model() const noexcept { return model_; }
  const EngineOptions& options() const noexcept { return options_; }

 private:
  using Time = EngineClock::time_point;
  struct Entry {  // of the pass under way
    RequestStatePtr request;
    RunningAnswer* answer;
    bool decode;
    Work work;
  };
  // One thread at a time steps or looks at the cache.
  class Turn;

  // scheduler.cpp
  bool cycle(Time end);  // one pass, or as much of it as there is time for. True: there is more to do now
  void take_inbox();
  bool run_pass(Time end);  // false: the time is over
  bool has_work() const noexcept;
  void publish_stats();
  bool step_now(uint64_t budget_us);
  void loop();

  // admission.cpp
  void require_usable(EngineRequestOptions& request) const;
  void admit();
  bool has_precedence(const RequestState& a, const RequestState& b) const noexcept;
  bool waits_for_leader(RequestState& request);
  bool try_admit(const RequestStatePtr& request);
  bool try_resume(RequestState& request);
  void begin_answers(RequestState& request, const KvCache& pages, int64_t cached);
  void begin_generation(const RequestState& request, RunningAnswer& answer, const PromptView& prompt);
  bool pause_stalled();                                         // false: every reader keeps up
  bool others_run(const RequestState& request) const noexcept;  // that hold pages, which come free some time
  bool any_reads() const noexcept;                              // its prompt
  int32_t slots_used() const noexcept;
  uint64_t needed(const RequestState& request) const;  // bytes of pages: prompt, and a part of the answer
  uint64_t promised() const;                           // to those that run, and not taken yet
  bool make_room(uint64_t bytes);
  bool relieve(uint64_t bytes,
               const RequestState* self);  // frees something. False: `self` is the one to pause, or fail
  void pause(RequestState& request);
  bool in_pass(const RequestState& request) const noexcept;
  bool encode_images(Time end);  // false: some are left

  // passes.cpp
  bool build_pass();
  void for_each_append(RequestState& request, FunctionRef<void(RunningAnswer&, const EngineAccess::Append&)> visit);
  bool add_rows(const RequestStatePtr& request, RunningAnswer& answer, int64_t most, bool decode);
  void add_prompts(int64_t decode_rows);
  void finish_pass();
  void finish_entry(Entry& entry);
  void end_reading(RequestState& request);
  void keep_pages(RequestState& request, RunningAnswer& answer, int64_t length, bool with_tail);
  void keep_all(RequestState& request, RunningAnswer& answer);  // that is computed: it ends
  bool fork_answers(RequestState& request);
  void draw_ready();
  bool prepare(RunningAnswer& answer);  // its append is begun
  // Frees memory for a fork of this request. False: it is paused. Throws the error again when nothing can be done.
  bool make_room_to_fork(RequestState& request);
  void abandon_pass() noexcept;
  void drop_entries() noexcept;

  // beams.cpp
  void expand_beams(RequestState& request);  // when the logits of all are there
  struct Child;
  bool choose(RequestState& request, std::vector<Child>& children, std::vector<Hypothesis>& found);
  bool fork_beams(RequestState& request, const std::vector<Child>& children, std::vector<RunningAnswer>& beams);
  void end_beams(RequestState& request);

  // endings.cpp
  void end_cancelled();
  void sweep_queue();  // of those that are over
  void sweep_running();
  void post(RequestState& request, EngineEvent event);
  void post_answer_ended(RequestState& request, int32_t index);  // of the gathered answers
  void report(RequestState& request, RunningAnswer& answer);
  void end_answer(RequestState& request, RunningAnswer& answer);
  void end(RequestState& request, EngineOutcome outcome, Status status, const char* message) noexcept;
  void fail(RequestState& request, std::exception_ptr error) noexcept;

  ModelPtr model_;
  EngineOptions options_;
  const std::unique_ptr<Session> probe_;  // empty: what a request is checked against
  const std::shared_ptr<EngineSignal> signal_;

  mutable std::mutex inbox_mutex_;
  std::vector<RequestStatePtr> inbox_;
  uint64_t numbers_ = 0;
  std::atomic<int32_t> waiting_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<double> seconds_a_request_{0.05};

  std::mutex turn_mutex_;
  std::condition_variable turn_over_;
  bool turn_taken_ = false;
  int32_t turn_waiters_ = 0;
  std::thread::id turn_owner_;

  // the stepping thread's
  std::vector<RequestStatePtr> queue_, running_;
  PrefixCache cache_;
  SharedPass pass_;
  std::vector<Entry> entries_;
  bool in_pass_ = false;
  double pass_seconds_ = 0;
  const RowWork row_work_;
  PassCosts costs_;
  int64_t decode_rows_ = 0;                  // of the latest pass that had some
  std::map<std::string, int64_t> deficits_;  // in rows, of keys that have prompts to read
  std::string served_last_;
  std::unique_ptr<ImageEncoding> encoding_;
  std::weak_ptr<RequestState> encoding_for_;
  Time next_deadline_ = Time::max();

  mutable std::mutex stats_mutex_;
  EngineStats stats_, published_;

  std::mutex thread_mutex_;
  std::thread thread_;
  std::atomic<bool> started_{false};
  std::atomic<bool> stopping_{false};
};

}  // namespace puna
