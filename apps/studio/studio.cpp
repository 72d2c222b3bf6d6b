#include "studio.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "base/json_field.h"
#include "base/shown.h"
#include "puna/base/error.h"
#include "puna/text/graphemes.h"

namespace puna::studio {

using ads::Brief;

namespace {

constexpr const char* kProject = "ads";
constexpr size_t kMostTexts = 500, kLongestText = 4096;

// The body of a request.
class Body {
 public:
  explicit Body(std::string_view text) : json_(parse_json(text, "the request")), guard_(json_) {}
  text::JsonField root() const { return {json_, "the request"}; }

 private:
  Json json_;
  JsonGuard<Json> guard_;
};

// Errors of parsing and of JsonField are those of files; here they are a caller's.
template <class Work>
auto of_a_request(Work&& work) {
  try {
    return work();
  } catch (const Error& e) {
    if (e.status() != Status::bad_file) throw;
    fail(Status::invalid_argument, "%s", e.what());
  }
}

// What texts are held against.
struct Against {
  Brief brief;
  std::vector<std::string> names;
  std::unique_ptr<ads::FactLock> lock;

  Against(const Json& json, const ads::Placements& placements)
      : brief(ads::read_brief(json.dump(-1, ' ', false, Json::error_handler_t::replace), "the brief", placements)) {
    std::vector<std::string> facts;
    for (const ads::Fact& f : brief.facts) facts.push_back(f.text);
    names = brief.voice_words;
    names.push_back(brief.name);
    lock = std::make_unique<ads::FactLock>(facts, names);
  }
  ads::LintContext context() const {
    ads::LintContext c;
    c.facts = lock.get();
    c.language = brief.language;
    c.banned = brief.banned;
    c.competitors = brief.competitors;
    c.names = names;
    return c;
  }
};

// How much of a text its placement shows, in bytes.
size_t shown_of(const ads::Placement& placement, int64_t limit, std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = grapheme_end(text, at);
    if (ads::length_in(placement, text.substr(0, end)) > limit) break;
    at = end;
  }
  return at;
}

int64_t utf16(std::string_view text) { return text_length(text).utf16; }

OrderedJson linted(const std::string& text, const ads::Placement& placement, const ads::PlacementField& field,
                   ads::LintContext context, const ads::LintRules& rules) {
  context.placement = &placement;
  context.field = &field;
  const std::vector<ads::Finding> findings = rules.lint(text, context);
  OrderedJson list = OrderedJson::array();
  for (const ads::Finding& f : findings)
    list.push_back({{"begin", utf16(std::string_view(text).substr(0, f.begin))},
                    {"end", utf16(std::string_view(text).substr(0, f.end))},
                    {"severity", ads::name_of(f.severity)},
                    {"rule", f.rule},
                    {"reason", f.reason}});
  return {{"length", ads::length_in(placement, text)},
          {"limit", field.limit},
          {"accepted", field.accepted},
          {"shown", utf16(std::string_view(text).substr(0, shown_of(placement, field.limit, text)))},
          {"errors", ads::has_errors(findings)},
          {"findings", list}};
}

// Every text's own name among the decisions: a text that was edited is another one.
std::string decision_key(const std::string& variant, const std::string& field, int64_t place, const std::string& text) {
  return variant + "/" + field + "/" + std::to_string(place) + "/" + text;
}

label::Project project_of(label::LabelStore& store) {
  for (const label::Project& p : store.projects())
    if (p.name == kProject) return p;
  label::Project p;
  p.name = kProject;
  p.type = label::Type::choice;
  p.labels = {"approved", "rejected"};
  return store.create(p);
}

}  // namespace

Studio::Studio(StudioOptions options) : o_(std::move(options)), brief_(o_.brief), plan_(o_.plan) {
  if (!plan_.empty()) {
    OrderedJson plan = parse_json_argument(plan_, "the plan");
    const JsonGuard guard(plan);
    if (!plan.is_object() || !plan.contains("puna_ads_plan") || !plan.contains("brief") || !plan.contains("placements"))
      fail(Status::invalid_argument, "the plan is none that puna ads plan wrote");
    if (brief_.empty()) brief_ = json_text(plan["brief"]);
  }
  if (!brief_.empty()) (void)ads::read_brief(brief_, "the brief", o_.placements);
}

std::string Studio::state() {
  std::string brief, plan;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    brief = brief_;
    plan = plan_;
  }
  OrderedJson placements = OrderedJson::array();
  for (const ads::Placement& p : o_.placements.list) {
    OrderedJson fields = OrderedJson::array();
    for (const ads::PlacementField& f : p.fields)
      fields.push_back(
          {{"name", f.name}, {"limit", f.limit}, {"accepted", f.accepted}, {"least", f.least}, {"most", f.most}});
    placements.push_back({{"id", p.id}, {"platform", p.platform}, {"label", p.label}, {"fields", fields}});
  }
  OrderedJson decisions = OrderedJson::object();
  if (o_.store) {
    const label::Project project = project_of(*o_.store);
    std::map<int64_t, std::string> key_of;
    o_.store->each_item(project.id, [&](const label::Item& i) { key_of[i.id] = i.key; });
    o_.store->each_label(project.id, false, [&](const label::Label& l) {
      if (l.value == "\"approved\"" || l.value == "\"rejected\"")
        decisions[key_of[l.item]] = l.value.substr(1, l.value.size() - 2);
    });
  }
  const OrderedJson writing =
      writing_ ? OrderedJson{{"done", done_.load()}, {"total", total_.load()}} : OrderedJson(nullptr);
  std::string answer = json_text({{"can_write", bool(o_.write)},
                                  {"keeps", o_.store != nullptr},
                                  {"writing", writing},
                                  {"placements", placements},
                                  {"decisions", decisions}});
  answer.pop_back();
  return answer + ",\"brief\":" + (brief.empty() ? "null" : brief) + ",\"plan\":" + (plan.empty() ? "null" : plan) +
         "}";
}

std::string Studio::lint(std::string_view json) const {
  return of_a_request([&] {
    const Body body(json);
    body.root().only({"brief", "texts"});
    const Against against(body.root()["brief"].json(), o_.placements);
    const text::JsonField texts = body.root()["texts"];
    if (!texts.is_array() || texts.size() > kMostTexts) texts.expected("up to 500 texts");
    OrderedJson all = OrderedJson::array();
    for (size_t i = 0; i < texts.size(); ++i) {
      texts[i].only({"placement", "field", "text"});
      const std::string& text = texts[i]["text"].string();
      if (text.size() > kLongestText) texts[i]["text"].expected("a text of up to 4096 bytes");
      const ads::Placement& placement = o_.placements.find(texts[i]["placement"].string());
      const ads::PlacementField& field = ads::find_field(placement, texts[i]["field"].string());
      all.push_back(linted(text, placement, field, against.context(), *o_.rules));
    }
    return json_text({{"texts", all}});
  });
}

std::string Studio::plan(std::string_view json) {
  return of_a_request([&] {
    const Body body(json);
    body.root().only({"brief", "stop"});
    if (body.root()["stop"].boolean(false)) {
      stop_ = true;
      return std::string("{\"stopped\":true}");
    }
    if (!o_.write) throw Refused{409, "this server has no model: start it with --model to write plans"};
    const std::string brief = body.root()["brief"].json().dump(-1, ' ', false, Json::error_handler_t::replace);
    (void)ads::read_brief(brief, "the brief", o_.placements);
    if (writing_.exchange(true)) throw Refused{409, "a plan is being written already"};
    struct Over {
      std::atomic<bool>& writing;
      ~Over() { writing = false; }
    } over{writing_};
    stop_ = false;
    done_ = total_ = 0;
    const auto go_on = [&] { return !stop_.load(); };
    const Watch watch(go_on);
    const std::string plan = o_.write(brief, watch, [&](int64_t done, int64_t total) {
      done_ = done;
      total_ = total;
    });
    const std::lock_guard<std::mutex> lock(mutex_);
    brief_ = brief;
    plan_ = plan;
    return "{\"plan\":" + plan_ + "}";
  });
}

std::string Studio::decide(std::string_view json, const std::string& person, int64_t now) {
  return of_a_request([&] {
    if (!o_.store) throw Refused{409, "what is decided is not kept: start the server with --db FILE"};
    const Body body(json);
    const text::JsonField r = body.root();
    r.only({"variant", "field", "place", "text", "verdict", "request"});
    const std::string &variant = r["variant"].string(), &field = r["field"].string(), &text = r["text"].string(),
                      &verdict = r["verdict"].string();
    if (verdict != "approved" && verdict != "rejected") r["verdict"].expected("\"approved\" or \"rejected\"");
    if (text.size() > kLongestText) r["text"].expected("a text of up to 4096 bytes");
    const int64_t place = r["place"].integer(0, 1000);
    label::LabelStore& store = *o_.store;
    store.write([&] {
      const label::Project project = project_of(store);
      label::Item item;
      item.key = decision_key(variant, field, place, text);
      item.data = json_text({{"text", text}, {"variant", variant}, {"field", field}});
      store.put_items(project.id, {&item, 1});
      label::NewLabel l;
      l.item = item.id;
      l.annotator = person;
      l.value = quoted(verdict);
      l.time = now;
      l.request = r["request"].string("");
      store.append(project.id, {&l, 1});
    });
    return std::string("{\"kept\":true}");
  });
}

std::string Studio::week(std::string_view json) const {
  return of_a_request([&] {
    const Body body(json);
    body.root().only({"brief", "variants", "seed"});
    const Against against(body.root()["brief"].json(), o_.placements);
    const auto variants = int32_t(body.root()["variants"].integer(1, 100));
    return simulated_week(against.brief, variants, uint64_t(body.root()["seed"].integer(0, INT64_MAX)));
  });
}

}  // namespace puna::studio
