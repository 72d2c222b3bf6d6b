// What `puna ads serve` answers, without sockets: lint by UTF-16 units, cuts by graphemes, decisions on the disk, plans
// one at a time, weeks within their budgets, strangers and hostile requests.
#include <atomic>
#include <thread>

#include "base/json.h"
#include "base/os.h"
#include "studio/api.h"
#include "support/ask_page.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/status.h"

using namespace puna;
using namespace puna::studio;
using namespace puna::test;

namespace {

std::string brief_text() { return os::read_file(PUNA_SOURCE_DIR "/examples/ads/bakery.json", 1 << 20); }

struct Room {
  TempFolder where;
  std::unique_ptr<label::LabelStore> store;
  Api api;
  explicit Room(StudioOptions o = {}, ApiOptions a = {}, bool keeps = true)
      : api(complete(std::move(o), keeps), std::move(a)) {}
  StudioOptions complete(StudioOptions o, bool keeps) {
    o.rules = ads::LintRules::known();
    o.placements = ads::known_placements();
    if (keeps) store = label::open_label_store(where.path() + "/labels.db");
    o.store = store.get();
    return o;
  }

  http::Answer ask(const std::string& path, const std::string& body, const std::string& token = "",
                   const std::string& host = "localhost:8082") {
    return ask_page(api, path, body, token, host);
  }
  Json get(const std::string& path, const std::string& body = "") {
    const http::Answer a = ask(path, body);
    INFO(path << ": " << a.body);
    REQUIRE(a.status == 200);
    return Json::parse(a.body);
  }
  Json lint(const std::string& placement, const std::string& field, const std::string& text) {
    return get("/v1/lint", "{\"brief\":" + brief_text() + ",\"texts\":[{\"placement\":" + quoted(placement) +
                               ",\"field\":" + quoted(field) + ",\"text\":" + quoted(text) + "}]}")["texts"][0];
  }
};

}  // namespace

TEST_CASE("lint tells places in UTF-16 units, and how much of a text its placement shows in graphemes", "[studio]") {
  Room room;
  const Json clean = room.lint("google.search", "headline", "We bake sourdough bread");
  CHECK(clean["errors"] == false);
  CHECK(clean["length"] == 23);
  CHECK(clean["limit"] == 30);
  CHECK(clean["shown"] == 23);
  // Four emoji of two units each stand before the price that no fact makes.
  const std::string text = "\U0001F950\U0001F950\U0001F950\U0001F950 for \u20ac9.99";
  const Json priced = room.lint("meta.feed", "primary_text", text);
  CHECK(priced["errors"] == true);
  bool found = false;
  for (const Json& f : priced["findings"]) {
    const int64_t begin = f["begin"], end = f["end"];
    CHECK(begin >= 0);
    CHECK(begin <= end);
    CHECK(end <= 18);
    found |= f["severity"] == "error" && begin >= 13 && end == 18;
  }
  CHECK(found);
  std::string family;  // 40 graphemes of 11 units
  for (int i = 0; i < 40; ++i) family += "\U0001F468\u200d\U0001F469\u200d\U0001F467\u200d\U0001F466";
  const Json cut = room.lint("meta.feed", "headline", family);
  CHECK(cut["length"] == 40);
  CHECK(cut["shown"] == 27 * 11);
}

TEST_CASE("the studio begins with a brief or with a plan, and refuses what is none", "[studio]") {
  StudioOptions o;
  o.plan = "{\"puna_ads_plan\":1,\"brief\":" + brief_text() + ",\"placements\":[]}";
  Room room(o);
  const Json state = room.get("/v1/state");
  CHECK(state["brief"]["name"] == "Bakery Vermeulen");
  CHECK(state["plan"]["puna_ads_plan"] == 1);
  CHECK(state["can_write"] == false);
  CHECK(state["keeps"] == true);
  CHECK(state["writing"].is_null());
  CHECK(state["placements"].size() >= 4);
  CHECK(Room().get("/v1/state")["brief"].is_null());
  o.plan = "{\"brief\":{}}";
  CHECK(status_of([&] { Room bad(o); }) == Status::invalid_argument);
  o.plan.clear();
  o.brief = "{\"name\": \"x\"}";
  CHECK(status_of([&] { Room bad(o); }) == Status::invalid_argument);
}

TEST_CASE("decisions are labels on the disk, one a text, the last one counts", "[studio]") {
  Room room;
  const auto decide = [&](const std::string& text, const std::string& verdict) {
    return room.ask("/v1/decide", "{\"variant\":\"google.search/1\",\"field\":\"headline\",\"place\":0,\"text\":" +
                                      quoted(text) + ",\"verdict\":" + quoted(verdict) + "}");
  };
  CHECK(decide("We bake", "approved").status == 200);
  CHECK(decide("We bake", "rejected").status == 200);
  CHECK(decide("We bake bread", "approved").status == 200);
  CHECK(decide("We bake bread", "perhaps").status == 400);
  const Json decisions = room.get("/v1/state")["decisions"];
  CHECK(decisions["google.search/1/headline/0/We bake"] == "rejected");
  CHECK(decisions["google.search/1/headline/0/We bake bread"] == "approved");
  Room forgetful({}, {}, false);
  CHECK(forgetful.get("/v1/state")["keeps"] == false);
  CHECK(
      forgetful
          .ask("/v1/decide", "{\"variant\":\"v\",\"field\":\"f\",\"place\":0,\"text\":\"t\",\"verdict\":\"approved\"}")
          .status == 409);
}

TEST_CASE("one plan is written at a time, its progress can be seen, and it can be stopped", "[studio]") {
  std::atomic<bool> go{false};
  StudioOptions o;
  o.write = [&](std::string_view, const Watch& watch, const std::function<void(int64_t, int64_t)>& progress) {
    progress(3, 10);
    while (!go) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      watch.tick(1000);
    }
    return std::string("{\"puna_ads_plan\":1,\"brief\":{},\"placements\":[]}");
  };
  Room room(o);
  const std::string body = "{\"brief\":" + brief_text() + "}";
  http::Answer first, second;
  const auto until_writing = [&] {
    for (int i = 0; i < 5000 && room.get("/v1/state")["writing"].is_null(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  };
  std::thread writer([&] { first = room.ask("/v1/plan", body); });
  until_writing();
  CHECK(room.get("/v1/state")["writing"]["total"] == 10);
  CHECK(room.ask("/v1/plan", body).status == 409);
  CHECK(room.get("/v1/plan", "{\"stop\":true}")["stopped"] == true);
  writer.join();
  CHECK(first.status == 409);
  CHECK(room.get("/v1/state")["plan"].is_null());
  std::thread again([&] { second = room.ask("/v1/plan", body); });
  until_writing();
  go = true;
  again.join();
  CHECK(second.status == 200);
  CHECK(room.get("/v1/state")["plan"]["puna_ads_plan"] == 1);
  CHECK(Room().ask("/v1/plan", body).status == 409);  // no model
}

TEST_CASE("a week stays within every day's budget, spends it, and is the same for the same seed", "[studio]") {
  Room room;
  const auto week = [&](int seed) {
    return room.get("/v1/week",
                    "{\"brief\":" + brief_text() + ",\"variants\":3,\"seed\":" + std::to_string(seed) + "}");
  };
  const Json a = week(1);
  CHECK(a == week(1));
  CHECK(a != week(2));
  REQUIRE(a["days"].size() == 7);
  for (const Json& d : a["days"]) {
    int64_t sum = 0, shown = 0;
    for (const Json& x : d["by_hour"]) sum += x.get<int64_t>();
    for (const Json& x : d["shown"]) shown += x.get<int64_t>();
    CHECK(sum == d["spent"]);
    CHECK(shown == d["impressions"]);
    CHECK(d["budget"] == 25'000'000);
    CHECK(d["spent"] <= d["budget"]);
    CHECK(d["spent"].get<double>() > 0.95 * d["budget"].get<double>());
    CHECK(d["clicks"] <= d["impressions"]);
  }
  for (const Json& p : a["tomorrow"]) {
    double all = 0;
    for (const Json& x : p) all += x.get<double>();
    CHECK(all == Approx(1));
  }
}

TEST_CASE("strangers, other hosts without tokens and hostile requests are refused with a sentence", "[studio]") {
  Room room;
  CHECK(room.ask("/v1/state", "", "", "evil.example").status == 403);
  CHECK(room.ask("/", "").status == 200);
  CHECK(room.ask("/ads/app.js", "").status == 200);
  CHECK(room.ask("/chat/app.js", "").status == 404);
  CHECK(room.ask("/v1/lint", "").status == 405);
  CHECK(room.ask("/v1/nothing", "{}").status == 404);
  for (const std::string body :
       {"{", "[]", "{}", "{\"brief\":{},\"texts\":[]}", "{\"brief\":1,\"texts\":[]}", "\xff", "{\"breif\":{}}"}) {
    const http::Answer a = room.ask("/v1/lint", body);
    INFO(body << ": " << a.body);
    CHECK(a.status == 400);
  }
  CHECK(room.ask("/v1/week", "{\"brief\":" + brief_text() + ",\"variants\":0,\"seed\":1}").status == 400);
  CHECK(status_of([] { Room open({}, {.reach = {"0.0.0.0", false}, .tokens = {}}); }) == Status::invalid_argument);
  Room guarded({}, {.reach = {"0.0.0.0", false},
                    .tokens = {{.name = "ann", .secret = "a-long-secret-1", .rest = "", .line = 1}}});
  CHECK(guarded.ask("/v1/state", "", "", "shop.example").status == 401);
  CHECK(guarded.ask("/v1/state", "", "wrong", "shop.example").status == 401);
  CHECK(guarded.ask("/v1/state", "", "a-long-secret-1", "shop.example").status == 200);
}
