// online_learner.h -- a ranker that learns from each event as it happens, and is served meanwhile.
//
//   append()   events into the log: acknowledged, never lost                           any thread
//   learn()    the log's next events, in order: predict, then learn, a step each      one thread
//   serving()  the last snapshot, immutable; never blocks                              any thread
//
// What has been learned is the checkpoint in a folder and the log behind it, and nothing else: after a crash the events
// since the checkpoint are learned again, each exactly once, to the same bits as if nothing had happened.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "puna/recsys/event_log.h"
#include "puna/recsys/ranker_trainer.h"

namespace puna {
class FileLock;
}

namespace puna::recsys {

struct OnlineOptions {
  RankerTrainerOptions trainer;      // with dropout, what is predicted is as dropped: leave it 0
  int64_t publish_every = 256;       // events between two snapshots; a snapshot is a copy of the ranker
  int64_t checkpoint_every = 16384;  // events between two checkpoints: what a crash makes learn() do again
  DType served = DType::f32;         // of a snapshot's table: f32, f16 or i8
  double memory = 10000;             // events after which recent() gives an event the weight 1/e
};

// How well events were predicted before they were learned, those whose outcome is known.
struct PrequentialScore {
  double events = 0, loss = 0, positives = 0;  // sums (recent: fading ones); loss: cross-entropy, natural logarithm
  double mean_loss() const noexcept { return loss / events; }
  double base_rate() const noexcept { return positives / events; }
  // Normalised entropy: mean loss / entropy of the base rate. Not finite when all outcomes are the same
  double ne() const noexcept;
  void add(double probability, double outcome, double keep) noexcept;  // what was there counts `keep`
};

struct OnlineReport {
  // The numbers of the last events that were learned, published and logged.
  int64_t learned = 0;
  int64_t published = 0;
  int64_t logged = 0;
  std::vector<PrequentialScore> all, recent;  // [tasks]
};

class OnlineLearner {
 public:
  // Goes on from the folder's checkpoint; where there is none, begins with `ranker` and the log's first event. The
  // folder is made. Error{bad_file} for a damaged checkpoint, {invalid_argument} when it belongs to another
  // configuration or options, or the log is shorter than what was learned, {wrong_state} when another learner has the
  // folder.
  OnlineLearner(std::shared_ptr<Ranker> ranker, std::shared_ptr<EventLog> log, std::string folder,
                const OnlineOptions& options = {});

  // As EventLog::append. Error{invalid_argument} naming the event and what the ranker would not take of it: then none
  // is logged.
  int64_t append(std::span<const LoggedEvent> events, int64_t* repeated = nullptr);
  // Up to `most` events; how many. Publishes and writes checkpoints as the options say. should_stop ends it between two
  // events.
  int64_t learn(int64_t most, FunctionRef<bool()> should_stop = {});
  void publish();     // a snapshot now
  void checkpoint();  // and a checkpoint

  // A lock is held while a pointer is copied, never longer: neither learning nor the log's disk is waited for.
  std::shared_ptr<const Ranker> serving() const;
  int64_t published() const;    // the number of the last event that it has learned
  OnlineReport report() const;  // asks the log: may wait for an append
  // The model in training: for the thread that calls learn().
  const std::shared_ptr<Ranker>& ranker() const noexcept { return trainer_.ranker(); }

 private:
  void learn_one(const LoggedEvent& event);
  void resume(const std::string& state);

  std::shared_ptr<EventLog> log_;
  std::string folder_;
  std::shared_ptr<FileLock> lock_;
  OnlineOptions options_;
  RankerTrainer trainer_;
  ExampleSet one_;
  std::string checkpoint_;    // the file that the state names
  mutable std::mutex mutex_;  // of what follows
  std::shared_ptr<const Ranker> serving_;
  OnlineReport report_;
};

}  // namespace puna::recsys
