// puna rec serve, update: a ranker that learns from each event, behind HTTP or from what its log holds.
#include <chrono>
#include <cstdio>
#include <thread>

#include "base/os.h"
#include "common.h"
#include "feed.h"
#include "http.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "rec.h"

namespace puna::cli {

using namespace recsys;

#if PUNA_HAVE_SQLITE
namespace {

struct OnlineFlags {
  ModelFlags machine;
  std::string folder, ranker, config, out;
  float learning_rate = 1e-3f, table_rate = 0.05f;
  int64_t publish_every = 64, checkpoint_every = 16384;
  uint64_t seed = 42;
  std::string host = "127.0.0.1", page;
  int64_t port = 8080;

  void add(const Verb& verb) {
    verb.option("FOLDER", folder, "the event log (events.db) and what was learned; made where there is none").required();
    verb.option("--ranker", ranker, "a new run begins with this ranker");
    verb.option("--new", config, "a new run begins with an untrained ranker of this configuration (JSON, see ranker_config.h)");
    verb.option("--lr", learning_rate, "of the network (default 1e-3)");
    verb.option("--table-lr", table_rate, "of the embeddings (default 0.05)");
    verb.option("--checkpoint-every", checkpoint_every, "events between two checkpoints (default 16384)").at_least(1);
    verb.option("--seed", seed, "of an untrained ranker (default 42)");
    machine.add_machine(verb);
  }
  // A folder remembers how it began.
  std::shared_ptr<Ranker> first_ranker() const {
    const std::string kept = folder + "/ranker.safetensors";
    os::make_folder(folder);
    if (!os::is_file(kept)) {
      if (ranker.empty() == config.empty()) fail(Status::invalid_argument, "%s has no ranker yet: --ranker or --new says with which to begin", folder.c_str());
      const ContextPtr context = machine.make_context();
      (ranker.empty() ? Ranker::create(context, ranker_config(read_input(config)), seed) : Ranker::load(context, ranker))->save(kept);
    }
    return Ranker::load(machine.make_context(), kept);
  }
  OnlineOptions options() const {
    OnlineOptions o;
    o.trainer.optimizer.learning_rate = double(learning_rate);
    o.trainer.table_rate = double(table_rate);
    o.trainer.seed = seed;
    o.publish_every = publish_every;
    o.checkpoint_every = checkpoint_every;
    return o;
  }
  OnlineLearner open() const { return {first_ranker(), std::shared_ptr<EventLog>(open_event_log(folder + "/events.db")), folder + "/online", options()}; }
};

HttpAnswer answer(Feed& feed, std::string_view method, std::string_view path, std::string_view body) {
  if (method == "POST" && path == "/events") return {200, feed.take(body)};
  if (method == "POST" && path == "/rank") return {200, feed.rank(body)};
  if (method == "GET" && path == "/report") return {200, feed.report()};
  return {404, "{\"error\": \"there are POST /events, POST /rank and GET /report\"}"};
}

// This thread learns; the server's threads take events and answer from the last snapshot.
void run_serve(const OnlineFlags& f) {
  OnlineLearner learner = f.open();
  Feed feed(learner);
  Interrupt interrupt;
  const HttpServer server(f.host, int(f.port), f.page, [&](std::string_view method, std::string_view path, std::string_view body) { return answer(feed, method, path, body); });
  printf("http://%s:%d\n", f.host.c_str(), server.port());
  fflush(stdout);
  while (!interrupt.requested()) {
    if (learner.learn(1024, [&] { return interrupt.requested(); }) > 0) continue;
    if (const OnlineReport r = learner.report(); r.published < r.learned) learner.publish();  // nothing more to come for now
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  learner.checkpoint();
}

void run_update(const OnlineFlags& f) {
  OnlineLearner learner = f.open();
  Interrupt interrupt;
  ProgressBar bar("learning");
  const OnlineReport before = learner.report();
  while (!interrupt.requested() && learner.learn(1024, [&] { return interrupt.requested(); }) > 0)
    bar.update(uint64_t(learner.report().learned - before.learned), uint64_t(before.logged - before.learned));
  learner.checkpoint();
  if (!f.out.empty()) learner.ranker()->save(f.out);
  printf("%s\n", Feed(learner).report().c_str());
}

}  // namespace

void add_rec_online(const Verb& rec) {
  {
    const auto f = std::make_shared<OnlineFlags>();
    const Verb verb(rec, "serve", "Rank over HTTP, and learn from each event as it comes: POST /rank, POST /events, GET /report");
    f->add(verb);
    verb.option("--publish-every", f->publish_every, "events between two snapshots that rank, when they come quickly (default 64)").at_least(1);
    verb.option("--host", f->host, "address to listen at (default 127.0.0.1: this machine only)");
    verb.option("--port", f->port, "0 = any that is free (default 8080)").at_least(0);
    verb.option("--page", f->page, "a folder of files to serve beside it");
    verb.run([f] { run_serve(*f); });
  }
  const auto f = std::make_shared<OnlineFlags>();
  const Verb verb(rec, "update", "Learn the events of a log that have not been learned yet; what is known then as one line of JSON");
  f->add(verb);
  verb.option("--out", f->out, "also write the ranker as it is then");
  verb.run([f] { run_update(*f); });
}
#else
void add_rec_online(const Verb&) {}
#endif

}  // namespace puna::cli
