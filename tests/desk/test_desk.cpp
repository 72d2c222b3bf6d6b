// What `puna label serve` answers, without sockets: two people at once, undo, skips, agreement, decisions, tokens,
// strangers, hostile requests.
#include <map>
#include <set>
#include <thread>

#include "base/json.h"
#include "label/api.h"
#include "puna/label/exchange.h"
#include "support/ask_page.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/status.h"

using namespace puna;
using namespace puna::desk;
using namespace puna::test;
using label::Project;

namespace {

struct Office {
  explicit Office(ApiOptions options = {}, DeskOptions desk = always_counted())
      : store(label::open_label_store(folder / "labels.db")), api(*store, std::move(desk), std::move(options)) {}

  // Else an answer would depend on how long the one before it took.
  static DeskOptions always_counted() {
    DeskOptions o;
    o.rest = 0;
    return o;
  }

  Project project(label::Type type, std::vector<std::string> labels, int items, int64_t wanted = 1,
                  const std::string& name = "p") {
    Project p;
    p.name = name;
    p.type = type;
    p.labels = std::move(labels);
    p.wanted = wanted;
    p = store->create(p);
    std::vector<label::Item> all(static_cast<size_t>(items));
    for (size_t i = 0; i < all.size(); ++i) {
      all[i].key = "i" + std::to_string(i);
      all[i].data = R"({"text":"<b>item )" + std::to_string(i) + R"(</b>"})";
    }
    store->put_items(p.id, all);
    return p;
  }

  http::Answer ask(const std::string& path, const std::string& body, const std::string& token = "",
                   const std::string& host = "localhost:8081") {
    return ask_page(api, path, body, token, host);
  }
  // By a person who gives a name, or has a token.
  Json get(const std::string& what, const std::string& by, std::string more = "") {
    if (!more.empty()) more = "," + more;
    const http::Answer a = ask("/v1/" + what, "{\"annotator\":" + quoted(by) + more + "}");
    INFO(what << ": " << a.body);
    REQUIRE(a.status == 200);
    return Json::parse(a.body);
  }
  std::string refusal(int status, const std::string& what, const std::string& body, const std::string& token = "") {
    const http::Answer a = ask("/v1/" + what, body, token);
    INFO(a.body);
    CHECK(a.status == status);
    return a.status == 200 ? "" : Json::parse(a.body)["error"].get<std::string>();
  }
  std::vector<std::string> in_hand(const std::string& by, int count) {
    std::vector<std::string> keys;
    const Json hand = get("work", by, "\"count\":" + std::to_string(count));
    for (const Json& item : hand["items"]) keys.push_back(item["item"].get<std::string>());
    return keys;
  }
  void answer(const std::string& by, const std::string& item, const std::string& value) {
    get("label", by, "\"item\":" + quoted(item) + ",\"value\":" + value);
  }

  TempFolder folder;
  std::unique_ptr<label::LabelStore> store;
  Api api;
};

std::string contains(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos ? "" : text;  // what was said instead
}

}  // namespace

TEST_CASE("what is in hand stays in hand, and is nobody else's", "[desk]") {
  Office office;
  office.project(label::Type::choice, {"good", "bad"}, 5);
  const auto ann = office.in_hand("ann", 3);
  CHECK(ann.size() == 3);
  CHECK(office.in_hand("ann", 3) == ann);  // asked again: a page that was loaded anew
  const auto ben = office.in_hand("ben", 3);
  CHECK(ben.size() == 2);
  for (const std::string& key : ben) CHECK(std::count(ann.begin(), ann.end(), key) == 0);
  office.answer("ann", ann[0], "\"good\"");
  CHECK(office.in_hand("ann", 3) == std::vector<std::string>(ann.begin() + 1, ann.end()));
  CHECK(office.in_hand("cyd", 3).empty());
}

TEST_CASE("people who label at the same time do each item once", "[desk]") {
  Office office;
  const Project p = office.project(label::Type::choice, {"good", "bad"}, 60);
  std::vector<std::thread> people;
  for (const std::string name : {"ann", "ben", "cyd"})
    people.emplace_back([&office, name] {
      for (;;) {
        http::Request r;
        r.method = "POST";
        r.path = "/v1/work";
        r.body = "{\"annotator\":" + quoted(name) + ",\"count\":3}";
        const Json items = Json::parse(office.api.answer(r).body)["items"];
        if (items.empty()) return;
        r.path = "/v1/label";
        r.body = "{\"annotator\":" + quoted(name) + ",\"item\":" + items[0]["item"].dump() + ",\"value\":\"good\"}";
        if (office.api.answer(r).status != 200) return;
      }
    });
  for (std::thread& t : people) t.join();
  std::map<int64_t, int> labels;
  office.store->each_label(p.id, false, [&](const label::Label& l) { ++labels[l.item]; });
  CHECK(labels.size() == 60);
  for (const auto& [item, n] : labels) CHECK(n == 1);
}

TEST_CASE("an undo takes the last label back, then the one before", "[desk]") {
  Office office;
  const Project p = office.project(label::Type::choice, {"good", "bad"}, 3);
  const auto items = office.in_hand("ann", 3);
  office.answer("ann", items[0], "\"good\"");
  office.get("label", "ann", "\"item\":" + quoted(items[1]) + R"(,"skip":"I am not sure")");
  CHECK(office.store->stats(p.id, 0).skipped == 1);

  Json last = office.get("undo", "ann");
  CHECK(last["item"] == items[1]);
  CHECK(last["skipped"] == "I am not sure");
  CHECK(last["value"].is_null());
  last = office.get("undo", "ann");
  CHECK(last["item"] == items[0]);
  CHECK(last["value"] == "good");
  CHECK(last["data"].contains("text"));
  CHECK(office.get("undo", "ann")["item"].is_null());
  CHECK(office.store->stats(p.id, 0).labels == 0);
  CHECK(office.store->stats(p.id, 0).skipped == 0);
  CHECK(office.in_hand("ben", 3).empty());  // ann has taken them up again
  auto again = office.in_hand("ann", 3);
  CHECK(std::set<std::string>(again.begin(), again.end()) == std::set<std::string>(items.begin(), items.end()));
  office.store->hold(office.store->find(p.id, items[0])->id, "ann", 1);  // ann has gone, and her lease is over
  CHECK(office.in_hand("ben", 3) == std::vector<std::string>{items[0]});
}

TEST_CASE("a request that is sent twice is one label, of each person's own", "[desk]") {
  Office office;
  const Project p = office.project(label::Type::choice, {"good", "bad"}, 1, 2);
  for (const char* by : {"ann", "ann", "ben"}) office.get("label", by, R"("item":"i0","value":"good","request":"1")");
  CHECK(office.store->stats(p.id, 0).labels == 2);
  CHECK(office.store->stats(p.id, 0).history == 0);
}

TEST_CASE("every type of label is taken and checked", "[desk]") {
  struct Case {
    label::Type type;
    std::vector<std::string> labels;
    std::string right, wrong, why;
  };
  const Case cases[] = {
      {label::Type::choice, {"good", "bad"}, "\"bad\"", "\"godo\"", "did you mean 'good'"},
      {label::Type::multi_choice, {"a", "b"}, R"(["b","a"])", R"(["c"])", "none of the project's labels"},
      {label::Type::pairwise, {}, "\"tie\"", "\"both\"", "expected left, right or tie"},
      {label::Type::rating, {}, "4", "\"four\"", "expected a number"},
      {label::Type::text, {}, "\"so be it\"", "[1]", "expected a text"},
      {label::Type::spans,
       {"name"},
       R"([{"start":0,"end":2,"label":"name"}])",
       R"([{"start":2,"end":2,"label":"name"}])",
       "start"},
  };
  for (const Case& c : cases) {
    Office office;
    const Project p = office.project(c.type, c.labels, 1);
    const std::string item = R"({"annotator":"ann","item":"i0","value":)";
    CHECK(contains(office.refusal(400, "label", item + c.wrong + "}"), c.why) == "");
    office.answer("ann", "i0", c.right);
    std::string kept;
    office.store->each_label(p.id, false, [&](const label::Label& l) { kept = l.value; });
    CHECK(Json::parse(kept).size() == Json::parse(c.right).size());
    CHECK(office.get("undo", "ann")["value"] == Json::parse(kept));
  }
}

TEST_CASE("progress tells how far people agree, and the queue what they do not", "[desk]") {
  Office office;
  office.project(label::Type::choice, {"good", "bad"}, 4, 3);
  Json before = office.get("progress", "ann");
  CHECK(before["alpha"].is_null());
  CHECK(before["why"].get<std::string>().size() > 0);
  // Of i0 to i3 all say the same but for i2, on which dan stands alone.
  for (const std::string by : {"ann", "ben", "dan"})
    for (int i = 0; i < 4; ++i)
      office.answer(by, "i" + std::to_string(i), i == 2 && by == "dan" ? "\"good\"" : i == 0 ? "\"good\"" : "\"bad\"");
  const Json progress = office.get("progress", "ann");
  CHECK(progress["labels"] == 12);
  CHECK(progress["mine"] == 4);
  CHECK(progress["finished"] == 4);
  const auto answers = label::answers_of(*office.store, office.store->project("p"), false);
  CHECK(progress["alpha"].get<double>() > 0.4);
  CHECK(progress["alpha_items"] == 4);
  CHECK(progress["people"].size() == 3);

  const Json queue = office.get("queue", "ann");
  CHECK(queue["waiting"] == 4);
  const Json& first = queue["items"][0];
  CHECK(first["item"] == "i2");
  CHECK(first["answers"].size() == 3);
  CHECK(first["posterior"].size() == 2);
  CHECK(first["different"] == 2);
  office.get("decide", "ann", R"("item":"i2","value":"bad")");
  const Json after = office.get("queue", "ann");
  CHECK(after["waiting"] == 3);
  for (const Json& row : after["items"]) CHECK(row["item"] != "i2");
  CHECK(office.get("progress", "ann")["gold"] == 1);
  // Her own answer stands beside what she decided.
  int anns = 0, golds = 0;
  office.store->each_label(office.store->project("p").id, false, [&](const label::Label& l) {
    anns += l.annotator == "ann";
    golds += l.gold && l.annotator == adjudicator("ann");
  });
  CHECK(anns == 4);
  CHECK(golds == 1);
}

TEST_CASE("texts that differ wait for a decision, equal ones do not", "[desk]") {
  Office office;
  office.project(label::Type::text, {}, 2, 2);
  for (const std::string by : {"ann", "ben"}) {
    office.answer(by, "i0", "\"the same\"");
    office.answer(by, "i1", quoted(by + "'s"));
  }
  const Json queue = office.get("queue", "ann");
  REQUIRE(queue["items"].size() == 1);
  CHECK(queue["items"][0]["item"] == "i1");
  CHECK(office.get("progress", "ann")["alpha"].is_null());
}

TEST_CASE("a token says who asks, and who may decide", "[desk]") {
  const std::string ann = "ann-secret-123456", chief = "chief-secret-1234";
  ApiOptions options;
  options.reach = {"0.0.0.0", false};
  options.tokens = parse_tokens("ann " + ann + "\nchief " + chief + " decides # all\n", "tokens");
  Office office(options);
  office.project(label::Type::choice, {"good", "bad"}, 2, 2);
  CHECK(office.refusal(401, "work", "{}") == "a token is needed: Authorization: Bearer TOKEN");
  CHECK(office.refusal(401, "work", "{}", ann + "x") == "the token is wrong");
  CHECK(office.ask("/v1/work", "{}", ann).status == 200);
  CHECK(office.ask("/v1/projects", "", ann).body.find("\"person\":\"ann\",\"decides\":false") != std::string::npos);
  CHECK(contains(office.refusal(403, "work", R"({"annotator":"ben"})", ann), "not of 'ben'") == "");
  CHECK(office.ask("/v1/label", R"({"item":"i0","value":"good"})", ann).status == 200);
  CHECK(office.refusal(403, "queue", "{}", ann) != "");
  CHECK(office.refusal(403, "decide", R"({"item":"i0","value":"good"})", ann) != "");
  CHECK(office.ask("/v1/decide", R"({"item":"i0","value":"good"})", chief).status == 200);
  // Who may not decide does not see how good the others are.
  CHECK(office.ask("/v1/progress", "{}", ann).body.find("chief") == std::string::npos);
  CHECK(office.ask("/v1/progress", "{}", ann).body.find("\"people\"") == std::string::npos);
  CHECK(office.ask("/v1/progress", "{}", chief).body.find("\"people\"") != std::string::npos);
}

TEST_CASE("tokens that cannot be meant are refused with their line", "[desk]") {
  CHECK(message_of([] { parse_tokens("ann short", "t"); }).find("t:1: the secret of 'ann' has 5") == 0);
  CHECK(message_of([] { parse_tokens("ann 0123456789abcdef owner", "t"); }).find("t:1: 'owner'") == 0);
  CHECK(message_of([] { parse_tokens("a 0123456789abcdef\na 0123456789abcdeg", "t"); }).find("t:2: 'a' has") == 0);
  CHECK(message_of([] { parse_tokens("# nobody\n", "t"); }) == "t: there is no key in it");
  // A byte order mark and lines of Windows are no part of a name or a secret.
  const auto tokens = parse_tokens(
      "\xEF\xBB\xBF"
      "ann 0123456789abcdef\r\nchief 0123456789abcdeg decides\r\n",
      "t");
  CHECK((tokens[0].person.name == "ann" && tokens[0].secret == "0123456789abcdef" && tokens[1].person.decides));
  ApiOptions open;
  open.reach = {"0.0.0.0", false};
  CHECK(status_of([&] { Office office(open); }) == Status::invalid_argument);
}

TEST_CASE("strangers get nothing, and the page comes with its policy", "[desk]") {
  Office office;
  office.project(label::Type::choice, {}, 1);
  CHECK(office.ask("/v1/projects", "", "", "evil.example").status == 403);
  http::Request r;
  r.method = "POST";
  r.path = "/v1/work";
  r.body = R"({"annotator":"ann"})";
  r.fields = {{"host", "localhost:8081"}, {"content-type", "text/plain"}};
  CHECK(office.api.quick(r)->status == 415);
  r.fields = {{"host", "localhost:8081"}, {"origin", "http://evil.example"}, {"content-type", "application/json"}};
  CHECK(office.api.quick(r)->status == 403);
  const http::Answer page = office.ask("/", "");
  CHECK(page.status == 200);
  CHECK(page.type == std::string("text/html; charset=utf-8"));
  std::map<std::string, std::string> fields(page.fields.begin(), page.fields.end());
  CHECK(fields["Content-Security-Policy"].find("default-src 'none'; script-src 'self'") == 0);
  for (const char* there : {"/label/app.js", "/shared/dom.js", "/shared/theme.css", "/health"})
    CHECK(office.ask(there, "").status == 200);
  for (const char* none : {"/chat/app.js", "/chat.html", "/label/../label.html", "/v1/label/"})
    CHECK(office.ask(none, "").status == 404);
  CHECK(office.ask("/v1/work", "").status == 405);
}

TEST_CASE("requests that are wrong say what is wrong, and change nothing", "[desk]") {
  Office office;
  const Project p = office.project(label::Type::choice, {"good"}, 1);
  const std::pair<const char*, const char*> cases[] = {
      {R"({"annotator":"ann","item":"i0","valeu":"good"})", "did you mean 'value'"},
      {R"({"annotator":"ann","item":"i0","value":"good","reqest":"1"})", "did you mean 'request'"},
      {R"({"annotator":"ann","item":"i9","value":"good"})", "there is no item 'i9'"},
      {R"({"annotator":"ann","item":"i0"})", "\"value\" or \"skip\""},
      {R"({"annotator":"ann","item":"i0","value":"good","skip":"x"})", "not both"},
      {R"({"annotator":"ann","item":"i0","value":"good","seconds":-1})", "\"seconds\""},
      {R"({"annotator":"ann","item":"i0","value":"good","seconds":1e999})", ""},
      {R"({"annotator":"","item":"i0","value":"good"})", "the annotator is called ''"},
      {R"({"annotator":"a\nb","item":"i0","value":"good"})", "expected 1 to 100"},
      {R"({"annotator":7})", "\"annotator\" is no text"},
      {R"({"item":"i0","value":"good"})", "no \"annotator\""},
      {R"({"annotator":"ann","project":"q"})", "'q'"},
      {R"({"annotator":"ann",)", "request"},
      {R"([1])", "request"},
      {"\xff", "request"},
  };
  for (const auto& [body, why] : cases) {
    const std::string said = office.refusal(400, "label", body);
    CHECK(contains(said, why) == "");
  }
  CHECK(office.refusal(400, "label", std::string(100'000, '[')) != "");
  CHECK(office.store->stats(p.id, 0).labels == 0);
}
