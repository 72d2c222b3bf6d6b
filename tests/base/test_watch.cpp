// Cancellation callbacks: called often enough, never more often than agreed, and false takes effect at once.
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/json.h"
#include "base/shared_watch.h"
#include "puna/base/error.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;

namespace {

constexpr auto kAlways = std::chrono::microseconds(0);

}  // namespace

TEST_CASE("a watch calls its callback while work goes on, and false cancels the work", "[base]") {
  int asked = 0, yes = 3;
  const auto go_on = [&] { return ++asked <= yes; };
  const Watch watch(go_on, kAlways), nobody;
  CHECK(status_of([&] {
          for (int i = 0; i < 100000; ++i) nobody.tick();
        }) == Status::ok);
  CHECK(status_of([&] {
          for (int i = 0; i < 100000; ++i) watch.tick();
        }) == Status::cancelled);
  CHECK(asked == 4);
  yes = 1000;
  CHECK(status_of([&] { watch.tick(1000000); }) == Status::ok);  // a large piece of work is one question
  CHECK(asked == 5);
}

TEST_CASE("a host is left alone for a millisecond after each question", "[base]") {
  int asked = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto go_on = [&] { return ++asked > 0; };
  const Watch watch(go_on);
  for (int i = 0; i < 3000000; ++i) watch.tick();
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count();
  CHECK(asked <= ms + 1);
}

TEST_CASE("JSON can be left anywhere in the middle", "[base]") {
  std::string text = "[\"" + std::string(300000, 'x') + "\"";
  for (int i = 0; i < 20000; ++i) text += R"(,{"key": [1, 2.5, null, "v"]})";
  text += "]";
  int asked = 0;
  const auto count = [&] { return ++asked > 0; };
  const Json whole = parse_json(text, "test", Watch(count, kAlways));
  CHECK(whole.size() == 20001);
  CHECK(asked > 50);
  for (const int stop : {1, 2, asked / 2, asked}) {
    int left = stop;
    const auto go_on = [&] { return --left > 0; };
    CHECK(status_of([&] { parse_json(text, "test", Watch(go_on, kAlways)); }) == Status::cancelled);
    CHECK(left == 0);
  }
}

TEST_CASE("threads of a run ask through the thread that began it, and its answer cancels them all", "[base]") {
  std::thread::id asked_on;
  bool answer = true;
  const auto go_on = [&] { return asked_on = std::this_thread::get_id(), answer; };
  const auto on_another = [](SharedWatch& watch) {
    bool stop = false;
    std::thread([&] { stop = watch(); }).join();
    return stop;
  };
  SharedWatch watch(go_on, /*caller_works=*/true);
  CHECK_FALSE(on_another(watch));
  CHECK(asked_on == std::thread::id());
  CHECK_FALSE(watch());
  CHECK(asked_on == std::this_thread::get_id());
  answer = false;
  while (!watch()) std::this_thread::yield();  // within a millisecond
  CHECK(on_another(watch));
  answer = true;
  CHECK(watch());

  SharedWatch outside(go_on, /*caller_works=*/false);  // an executor that leaves its caller waiting
  answer = false;
  CHECK(on_another(outside));
  CHECK(asked_on != std::this_thread::get_id());
}

TEST_CASE("what a host throws when asked waits for the end of the run", "[base]") {
  const auto rude = []() -> bool { throw std::runtime_error("from the host"); };
  SharedWatch watch(rude, true);
  CHECK_NOTHROW(watch.rethrow());
  CHECK(watch());
  CHECK_THROWS_WITH(watch.rethrow(), "from the host");
}
