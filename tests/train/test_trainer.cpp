// The loop: it learns, goes on from a checkpoint bit for bit, forgets a cancelled step, and several processes are one.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "model/made_model.h"
#include "puna/train/data.h"
#include "puna/train/trainer.h"
#include "ref/compare.h"
#include "support/files.h"
#include "support/golden.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;
using namespace puna::train;

namespace test_trainer {
namespace {

// Sequences with something to learn: a token is followed by its successor, with a slip now and then.
std::vector<Sequence> counting(size_t n, int64_t vocab, uint64_t seed) {
  ref::Random random(seed);
  std::vector<Sequence> all(n);
  for (Sequence& s : all) {
    int64_t token = random.below(vocab);
    for (int64_t i = 0; i < 20 + random.below(20); ++i) {
      s.tokens.push_back(int32_t(token));
      token = random.below(16) == 0 ? random.below(vocab) : (token + 1) % vocab;
    }
    s.counted.assign(s.tokens.size(), 1);
  }
  return all;
}

struct Run {
  LoadedLlama base;
  Parameters parameters;
  Llama model;
  std::unique_ptr<Trainer> trainer;

  explicit Run(const Made& made, const TrainerOptions& options, int threads = 1)
      : base(load_made(made, context_with("", threads))),
        parameters(base.context),
        model(make_trainable(base.llama, parameters)) {
    trainer = std::make_unique<Trainer>(parameters, model, nullptr, options);
    trainer->learn(counting(24, 48, 5));
  }
  std::vector<float> values() const {
    std::vector<float> all;
    for (const Parameter& p : parameters.list()) all.insert(all.end(), p.values, p.values + p.count);
    return all;
  }
};

TrainerOptions options() {
  TrainerOptions o;
  o.optimizer.learning_rate = 1e-2;
  o.steps = 12;
  o.tokens_per_step = 150;
  o.tokens_per_pass = 80;
  o.schedule.warmup = 3;
  o.seed = 9;
  return o;
}

const Made& made() {
  static const Made m = make_gguf(make_config(true, 2, 32, 2, 1, 16, 48, 32));
  return m;
}

}  // namespace

TEST_CASE("training lowers the loss of sequences it has not seen", "[train]") {
  TrainerOptions o = options();
  o.steps = 60;
  Run run(made(), o);
  const std::vector<Sequence> held_out = counting(6, 48, 77);
  const double before = run.trainer->evaluate(held_out);
  for (int i = 0; i < 60; ++i) run.trainer->step();
  const double after = run.trainer->evaluate(held_out);
  CAPTURE(before, after);
  CHECK(after < 0.6 * before);
  CHECK(run.trainer->done_steps() == run.trainer->total_steps());
}

TEST_CASE("a run that was stopped and resumed has the bits of one that was not", "[train]") {
  const TempFolder folder;
  Run straight(made(), options());
  std::vector<double> losses;
  for (int i = 0; i < 12; ++i) losses.push_back(straight.trainer->step().loss);
  for (const int stop_after : {0, 1, 7}) {
    CAPTURE(stop_after);
    Run first(made(), options());
    for (int i = 0; i < stop_after; ++i) first.trainer->step();
    first.trainer->save(folder / "checkpoint.safetensors");
    Run second(made(), options(), /*threads=*/3);
    second.trainer->step();  // whatever it did before is overwritten
    second.trainer->resume(folder / "checkpoint.safetensors");
    CHECK(second.trainer->done_steps() == stop_after);
    for (int i = stop_after; i < 12; ++i) CHECK(second.trainer->step().loss == losses[size_t(i)]);
    CHECK(ref::differing(second.values(), straight.values()) == 0);
  }
}

TEST_CASE("a checkpoint of another run, or half a file, is refused and changes nothing", "[train]") {
  const TempFolder folder;
  const std::string path = folder / "checkpoint.safetensors";
  Run run(made(), options());
  run.trainer->step();
  run.trainer->save(path);
  TrainerOptions other = options();
  other.optimizer.learning_rate = 2e-2;
  Run different(made(), other);
  const std::vector<float> before = different.values();
  CHECK_THROWS_AS(different.trainer->resume(path), Error);
  const std::string bytes = read_text(path);
  write_file(path, bytes.substr(0, bytes.size() / 2));
  Run same(made(), options());
  CHECK_THROWS_AS(same.trainer->resume(path), Error);
  CHECK_THROWS_AS(same.trainer->resume(folder / "nothing"), Error);
  CHECK(ref::differing(different.values(), before) == 0);
  CHECK(ref::differing(same.values(), before) == 0);
}

TEST_CASE("a cancelled step is as if it had not begun", "[train]") {
  Run want(made(), options()), run(made(), options());
  for (int i = 0; i < 4; ++i) want.trainer->step();
  for (int i = 0; i < 4; ++i) {
    int asked = 0;
    const auto stop = [&] { return ++asked > 20 * i; };
    CHECK_THROWS_AS(run.trainer->step(stop), Error);
    run.trainer->step();
  }
  CHECK(ref::differing(run.values(), want.values()) == 0);
}

TEST_CASE("two processes learn what one learns from the same examples, within rounding", "[train]") {
  // Threads stand for processes: each waits for the other's values, both add them in the order of ranks.
  struct Meeting {
    std::mutex mutex;
    std::condition_variable both;
    std::vector<float> values[2], sum;
    int arrived = 0, round = 0;
    void reduce(int rank, float* v, int64_t n) {
      std::unique_lock lock(mutex);
      values[rank].assign(v, v + n);
      const int mine = round;
      if (++arrived == 2) {
        arrived = 0;
        ++round;
        sum = values[0];  // read by both before either comes again
        for (size_t i = 0; i < sum.size(); ++i) sum[i] += values[1][i];
        both.notify_all();
      } else {
        both.wait(lock, [&] { return round != mine; });
      }
      std::copy(sum.begin(), sum.end(), v);
    }
  } meeting;
  Run alone(made(), options()), a(made(), options()), b(made(), options());
  Run* const runs[2] = {&a, &b};
  std::vector<double> losses[2];
  const auto work = [&](int rank) {
    runs[rank]->trainer->join({rank, 2, [&, rank](float* v, int64_t n) { meeting.reduce(rank, v, n); }});
    for (int i = 0; i < 6; ++i) losses[rank].push_back(runs[rank]->trainer->step().loss);
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  for (size_t i = 0; i < 6; ++i) CHECK(losses[0][i] == Approx(alone.trainer->step().loss).epsilon(1e-4));
  CHECK(losses[0] == losses[1]);
  CHECK(ref::differing(a.values(), b.values()) == 0);
}

TEST_CASE("an epoch visits every example once, in another order each time", "[train]") {
  for (const int64_t n : {1, 2, 37}) {
    std::vector<int64_t> a = shuffled(n, 3, 0), b = shuffled(n, 3, 1);
    if (n > 2) CHECK(a != b);
    CHECK(a == shuffled(n, 3, 0));
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    CHECK(a == b);
    CHECK((a.front() == 0 && a.back() == n - 1));
  }
}

TEST_CASE("Adagrad's steps are its formula's", "[train]") {
  // torch.optim.Adagrad: g += decay p; m += g^2; p -= lr g / (sqrt(m) + eps)
  const ContextPtr context = context_with("", 1);
  Parameters parameters(context);
  const Parameter& p = parameters.add("p", 3);
  Optimizer optimizer(parameters, {OptimizerKind::adagrad, 0.1, 0.9, 0.999, 1e-10, 0.01, 0.0});
  double want[] = {1, -2, 0.5}, m[3] = {};
  std::copy(want, want + 3, p.values);
  for (int step = 1; step <= 4; ++step) {
    for (int i = 0; i < 3; ++i) {
      p.gradient[i] = float(0.3 * step - 0.5 * i);
      const double g = double(p.gradient[i]) + 0.01 * want[i];
      m[i] += g * g;
      want[i] -= 0.1 * g / (std::sqrt(m[i]) + 1e-10);
    }
    optimizer.step();
  }
  for (int i = 0; i < 3; ++i) CHECK(std::abs(double(p.values[i]) - want[i]) < 1e-6);
}

namespace {

std::vector<Preference> some_pairs(size_t n) {
  const std::vector<Sequence> answers = counting(2 * n, 48, 11);
  std::vector<Preference> pairs;
  for (size_t i = 0; i < n; ++i) pairs.push_back({answers[2 * i], answers[2 * i + 1]});
  return pairs;
}

}  // namespace

TEST_CASE(
    "a second learn is the run of a trainer that is new: its own length and schedule, an optimizer that has seen "
    "nothing",
    "[train]") {
  TrainerOptions o = options();
  o.steps = 0;
  const auto learn = [&](Run& run, size_t sequences) {
    run.trainer->learn(counting(sequences, 48, 5));
    std::vector<double> seen{double(run.trainer->total_steps())};
    for (int i = 0; i < 3; ++i) {
      const StepReport r = run.trainer->step();
      seen.insert(seen.end(), {r.loss, r.learning_rate, r.grad_norm});
    }
    return seen;
  };
  Run twice(made(), o), once(made(), o);
  const std::vector<float> start = once.values();
  learn(twice, 60);
  size_t at = 0;
  for (const Parameter& p : twice.parameters.list()) {  // what was learned goes, the trainer stays
    std::copy_n(start.begin() + int64_t(at), p.count, p.values);
    at += size_t(p.count);
  }
  CHECK(learn(twice, 12) == learn(once, 12));
}

TEST_CASE("a learn that fails or is cancelled leaves the trainer as it was", "[train]") {
  const Made& m = made();
  LoadedLlama base = load_made(m, context_with("", 1));
  const auto adapter = Adapter::create(*base.context, base.llama, {});
  Parameters parameters(base.context);
  parameters.track(*adapter);
  Trainer trainer(parameters, base.llama, adapter.get(), options());
  int asked = 0;
  CHECK(message_of([&] { trainer.learn(some_pairs(8), [&] { return ++asked > 40; }); }).find("cancelled") !=
        std::string::npos);
  CHECK(message_of([&] { trainer.step(); }).find("nothing to learn from") != std::string::npos);
  trainer.learn(some_pairs(4));
  trainer.step();
  asked = 0;
  CHECK(message_of([&] { trainer.learn(some_pairs(8), [&] { return ++asked > 40; }); }) != "");
  CHECK(message_of([&] { trainer.learn(std::vector<Sequence>()); }) != "");
  CHECK(trainer.done_steps() == 1);
  trainer.step();
  CHECK(trainer.done_steps() == 2);
}

TEST_CASE("sequences without a mark for each token are refused by number", "[train]") {
  Run run(made(), options());
  for (const size_t marks : {size_t(0), size_t(3), size_t(500)}) {
    std::vector<Sequence> sequences = counting(3, 48, 1);
    sequences[1].counted.assign(marks, 1);
    CHECK(message_of([&] {
            run.trainer->learn(sequences);
          }).find("sequence 1 has " + std::to_string(marks) + " marks") != std::string::npos);
  }
  run.trainer->step();
}

TEST_CASE("epochs whose tokens cannot be counted are refused", "[train]") {
  TrainerOptions o = options();
  o.steps = 0;
  for (const int64_t epochs : {INT64_MAX, INT64_MAX / 2, int64_t(1) << 60}) {
    o.epochs = epochs;
    const std::string message = message_of([&] { Run run(made(), o); });
    CHECK(message.find("epochs") != std::string::npos);
  }
}

// The step after such a number would be an overflow.
TEST_CASE("a checkpoint whose counters no run can have reached is refused", "[train]") {
  const TempFolder folder;
  const std::string path = folder / "checkpoint.safetensors";
  Run run(made(), options());
  run.trainer->step();
  run.trainer->save(path);
  const std::string bytes = read_text(path);
  for (const char* counter : {"epoch", "optimizer_steps"})
    for (std::string number :
         {"2", "9007199254740993", "9223372036854775807", "9223372036854775808", "-1", "1e3", ""}) {
      if (number == "2" && counter == std::string("epoch")) continue;  // a step may be longer than an epoch
      const std::string key = std::string("\"") + counter + "\":\"";
      const size_t at = bytes.find(key) + key.size(), end = bytes.find('"', at);
      std::string other = bytes.substr(0, at) + number + bytes.substr(end);
      uint64_t header = 0;
      memcpy(&header, other.data(), sizeof header);
      header += other.size() - bytes.size();
      memcpy(other.data(), &header, sizeof header);
      write_file(path, other);
      CAPTURE(counter, number);
      CHECK(message_of([&] { run.trainer->resume(path); }).find(counter) != std::string::npos);
    }
  CHECK(run.trainer->done_steps() == 1);
}

TEST_CASE("a resumed run may take more steps, not fewer than it has taken", "[train]") {
  const TempFolder folder;
  const std::string path = folder / "checkpoint.safetensors";
  Run first(made(), options());
  for (int i = 0; i < 12; ++i) first.trainer->step();
  first.trainer->save(path);
  TrainerOptions more = options(), fewer = options();
  more.steps = 20;
  fewer.steps = 11;
  Run longer(made(), more), shorter(made(), fewer);
  CHECK(longer.trainer->resume(path) == 12);
  CHECK(longer.trainer->done_steps() == 12);
  CHECK(ref::differing(longer.values(), first.values()) == 0);
  while (longer.trainer->done_steps() < 20) CHECK(longer.trainer->step().learning_rate > 0);
  CHECK(message_of([&] { shorter.trainer->resume(path); }).find("12 steps already, more than the 11") !=
        std::string::npos);
  CHECK(shorter.trainer->done_steps() == 0);
}

TEST_CASE("resuming another run's checkpoint is an error that names the options that differ", "[train]") {
  const TempFolder folder;
  const std::string path = folder / "checkpoint.safetensors";
  Run run(made(), options());
  run.trainer->save(path);
  TrainerOptions other = options();
  other.optimizer.learning_rate = 2e-2;
  other.seed = 10;
  other.schedule.kind = ScheduleKind::linear;
  Run different(made(), other);
  const std::string message = message_of([&] { different.trainer->resume(path); });
  CAPTURE(message);
  for (const char* words :
       {"learning rate: 0.01 there, 0.02 here", "seed: 9 there, 10 here", "schedule: cosine there, linear here"})
    CHECK(message.find(words) != std::string::npos);
  CHECK(message.find("beta1") == std::string::npos);
  Run same_options(made(), options());
  same_options.trainer->learn(counting(24, 48, 6));
  CHECK(message_of([&] { same_options.trainer->resume(path); }).find("data: another") != std::string::npos);
}

TEST_CASE("a checkpoint that cannot be written leaves the one of before", "[train]") {
  const TempFolder folder;
  Run run(made(), options());
  run.trainer->save(folder / "checkpoint");
  const std::string before = read_text(folder / "checkpoint");
  run.trainer->step();
  CHECK_THROWS_AS(run.trainer->save(folder / "none/checkpoint"), Error);
  CHECK(read_text(folder / "checkpoint") == before);
  CHECK(folder.file_count() == 1);
}

TEST_CASE("a step whose loss is not finite changes nothing and is reported", "[train]") {
  Run run(made(), options());
  run.parameters.list()[0].values[0] = std::nanf("");
  std::vector<float> before = run.values();
  bool left_out = false;
  for (int i = 0; i < 4; ++i) {
    const StepReport r = run.trainer->step();
    left_out = left_out || !std::isfinite(r.loss) || !std::isfinite(r.grad_norm);
    if (left_out) break;
    before = run.values();
  }
  CHECK(left_out);
  CHECK(ref::differing(run.values(), before) == 0);
}

TEST_CASE("options out of their range are refused with the range", "[train]") {
  const auto refused = [](auto change) {
    TrainerOptions o = options();
    change(o);
    return message_of([&] { Run run(made(), o); });
  };
  CHECK(refused([](TrainerOptions& o) { o.optimizer.learning_rate = 1e9; }).find("above 0 and below 1e6") !=
        std::string::npos);
  CHECK(refused([](TrainerOptions& o) { o.optimizer.weight_decay = 1e9; }).find("below 1e6") != std::string::npos);
  CHECK(refused([](TrainerOptions& o) { o.optimizer.clip_norm = 1e31; }).find("below 1e30") != std::string::npos);
  CHECK(refused([](TrainerOptions& o) { o.schedule.floor = -0.1; }).find("0 to 1") != std::string::npos);
  CHECK(refused([](TrainerOptions& o) { o.schedule.floor = std::nan(""); }).find("0 to 1") != std::string::npos);
  CHECK(refused([](TrainerOptions& o) { o.schedule.warmup = -1; }).find("warmup") != std::string::npos);
}

}  // namespace test_trainer
