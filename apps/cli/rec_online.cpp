// puna rec serve, update: a ranker that learns from each event, behind HTTP or from what its log holds.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "base/json.h"
#include "base/os.h"
#include "base/shown.h"
#include "common.h"
#include "feed/feed.h"
#include "http/access.h"
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
    verb.option("FOLDER", folder, "the event log (events.db) and what was learned; made where there is none")
        .required();
    verb.option("--ranker", ranker, "a new run begins with this ranker");
    verb.option("--new", config,
                "a new run begins with an untrained ranker of this configuration (JSON, see ranker_config.h)");
    verb.option("--lr", learning_rate, "of the network (default 1e-3)").within(1e-9, 100);
    verb.option("--table-lr", table_rate, "of the embeddings (default 0.05)").within(1e-9, 100);
    verb.option("--checkpoint-every", checkpoint_every, "events between two checkpoints (default 16384)").at_least(1);
    verb.option("--seed", seed, "of an untrained ranker (default 42)");
    machine.add_machine(verb);
  }
  // A folder remembers how it began; flags that say something else are refused.
  std::shared_ptr<Ranker> first_ranker() const {
    const std::string kept = folder + "/ranker.safetensors";
    if (os::is_file(kept)) {
      const std::shared_ptr<Ranker> began = Ranker::load(machine.make_context(), kept);
      if (!config.empty()) require_same(*began, ranker_config(read_input(config)), "--new " + config);
      if (!ranker.empty()) require_same(*began, *Ranker::load(machine.make_context(), ranker), "--ranker " + ranker);
      return began;
    }
    {
      if (ranker.empty() == config.empty())
        fail(Status::invalid_argument, "%s has no ranker yet: --ranker or --new says with which to begin",
             folder.c_str());
      const ContextPtr context = machine.make_context();
      const auto first = ranker.empty() ? Ranker::create(context, ranker_config(read_input(config)), seed)
                                        : Ranker::load(context, ranker);
      os::make_folder(folder);
      first->save(kept);
    }
    return Ranker::load(machine.make_context(), kept);
  }
  [[noreturn]] void differs(const std::string& flag, const std::string& where) const {
    fail(Status::invalid_argument,
         "%s began with another ranker than %s: %s; leave the flag out, or take another folder", folder.c_str(),
         flag.c_str(), where.c_str());
  }
  void require_same(const Ranker& began, const RankerConfig& other, const std::string& flag) const {
    const Json ours = Json::parse(json_of(began.config())), theirs = Json::parse(json_of(other));
    const Json changes = Json::diff(ours, theirs);
    if (changes.empty()) return;
    const std::string path = changes[0]["path"];
    const Json::json_pointer at(path);
    const std::string there = ours.contains(at) ? shown(ours.at(at).dump()) : "missing";
    const std::string here = changes[0].contains("value") ? shown(changes[0]["value"].dump()) : "missing";
    differs(flag, "the configuration's " + shown(path.substr(1)) + " is " + there + " there and " + here + " here");
  }
  void require_same(const Ranker& began, const Ranker& other, const std::string& flag) const {
    require_same(began, other.config(), flag);
    for (size_t f = 0; f < began.config().features.size(); ++f) {
      const Names &ours = began.vocabulary(f), &theirs = other.vocabulary(f);
      if (ours.bytes() == theirs.bytes()) continue;
      const int64_t both = std::min(ours.size(), theirs.size());
      int64_t id = 0;
      while (id < both && ours[id] == theirs[id]) ++id;
      const auto name = [id](const Names& names) {
        return id < names.size() ? "'" + shown(names[id]) + "'" : std::string("missing");
      };
      differs(flag, "the name of id " + std::to_string(id) + " of the feature '" +
                        shown(began.config().features[f].name) + "' is " + name(ours) + " there and " + name(theirs) +
                        " here");
    }
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
  OnlineLearner open() const {
    return {first_ranker(), std::shared_ptr<EventLog>(open_event_log(folder + "/events.db")), folder + "/online",
            options()};
  }
};

http::Answer answer(Feed& feed, const http::Request& r) {
  const bool get = r.method == "GET" || r.method == "HEAD", post = r.method == "POST";
  if (r.path == "/events" || r.path == "/rank") {
    if (!post) return http::refusal(405, "expected POST " + r.path);
    return {200, r.path == "/rank" ? feed.rank(r.body) : feed.take(r.body)};
  }
  if (r.path == "/report" && get) return {200, feed.report()};
  return http::refusal(404, "there are POST /events, POST /rank and GET /report");
}

// What the request got wrong is a 400, what went wrong here a 500.
http::Answer answered(const OnlineFlags& f, Feed& feed, const http::Request& r, bool loopback) {
  try {
    if (const auto refused = http::refuse_stranger(r, loopback, f.host)) return *refused;
    if (!f.page.empty())
      if (auto file = http::page_file(f.page, r)) return *file;
    return answer(feed, r);
  } catch (const Error& e) {
    return http::refusal(e.status() == Status::invalid_argument || e.status() == Status::bad_file ? 400 : 500,
                         e.what());
  }
}

// This thread learns; the server's threads take events and answer from the last snapshot.
void run_serve(const OnlineFlags& f) {
  PUNA_REQUIRE(f.port >= 0 && f.port <= 65535, "--port is %jd, expected 0 to 65535", f.port);
  if (!f.page.empty() && !os::is_directory(f.page))
    fail(Status::invalid_argument, "--page %s is no folder", f.page.c_str());
  OnlineLearner learner = f.open();
  Feed feed(learner);
  Interrupt interrupt;
  http::ServerOptions options;
  options.host = f.host;
  options.port = int(f.port);
  const bool loopback = http::is_loopback(f.host);
  const http::Server server(options, [&](const http::Request& r) { return answered(f, feed, r, loopback); });
  print_format("http://%s:%d\n", f.host.c_str(), server.port());
  while (!interrupt.requested()) {
    if (learner.learn(1024, [&] { return interrupt.requested(); }) > 0) continue;
    if (const OnlineReport r = learner.report(); r.published < r.learned)
      learner.publish();  // nothing more to come for now
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
  print_format("%s\n", Feed(learner).report().c_str());
}

}  // namespace

void add_rec_online(const Verb& rec) {
  {
    const auto f = std::make_shared<OnlineFlags>();
    const Verb verb(rec, "serve",
                    "Rank over HTTP, and learn from each event as it comes: POST /rank, POST /events, GET /report");
    f->add(verb);
    verb.option("--publish-every", f->publish_every,
                "events between two snapshots that rank, when they come quickly (default 64)")
        .at_least(1);
    verb.option("--host", f->host, "address to listen at (default 127.0.0.1: this machine only)");
    verb.option("--port", f->port, "0 = any that is free (default 8080)").at_least(0);
    verb.option("--page", f->page, "a folder of files to serve beside it");
    verb.run([f] { run_serve(*f); });
  }
  const auto f = std::make_shared<OnlineFlags>();
  const Verb verb(rec, "update",
                  "Learn the events of a log that have not been learned yet; what is known then as one line of JSON");
  f->add(verb);
  verb.output("--out", f->out, "also write the ranker as it is then");
  verb.run([f] { run_update(*f); });
}
#else
void add_rec_online(const Verb&) {}
#endif

}  // namespace puna::cli
