// puna ads events, puna ads feedback: what came of the texts that were shown, kept without names; pairs to train a
// writer on, by `puna dpo`; and whether a new writer earns more than the old one, or whether that cannot be told.
#include <algorithm>
#include <cmath>
#include <map>

#include "ads.h"
#include "ads/rows.h"
#include "base/json.h"
#include "base/json_field.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "common.h"
#include "interrupt.h"
#include "io/json_rows.h"
#include "puna/ads/feedback_store.h"
#include "puna/base/error.h"
#include "puna/eval/statistics.h"

namespace puna::cli {
namespace {

constexpr std::string_view kKinds[] = {"shown", "click", "lead", "sale"};

// ---- events ----

struct EventsFlags {
  std::string store, input;
};

ads::Reached kind_of(const ads::Rows& rows, int column) {
  for (size_t i = 0; i < std::size(kKinds); ++i)
    if (rows.text(column) == kKinds[i]) return ads::Reached(i);
  fail(Status::bad_file, "%s, column 'event': '%s' is none of shown, click, lead and sale%s", rows.where().c_str(),
       shown(rows.text(column)).c_str(), did_you_mean(rows.text(column), kKinds).c_str());
}

// A table of events, row by row.
class EventRows {
 public:
  EventRows(const TextInput& input, const std::string& name, const Watch& watch)
      : rows_(input.file().text, name, watch) {
    rows_.only({"event", "key", "impression", "time", "segment", "variant", "propensity", "person", "placement"});
    event_ = rows_.column("event");
    key_ = rows_.column("key");
    impression_ = rows_.column("impression");
    time_ = rows_.column("time");
    segment_ = rows_.column("segment");
    variant_ = rows_.column("variant");
    propensity_ = rows_.column("propensity");
    person_ = rows_.column("person");
    placement_ = rows_.find("placement");
  }
  bool next(ads::FeedbackEvent& e) {
    if (!rows_.next()) return false;
    e = {};
    e.kind = kind_of(rows_, event_);
    e.key = text(key_, "a key of 1 to 256 bytes, the event's own");
    e.time = rows_.integer(time_, INT64_MIN, INT64_MAX);
    if (e.kind == ads::Reached::shown) {
      if (!rows_.text(impression_).empty())
        rows_.bad(impression_, "empty: 'shown' is the impression, and 'key' is its key");
      e.segment = text(segment_, "a text of 1 to 256 bytes");
      e.variant = text(variant_, "a text of 1 to 256 bytes");
      e.placement = placement_ < 0 ? "all" : text(placement_, "a text of 1 to 256 bytes");
      e.person = text(person_, "an id of 1 to 256 bytes: what comes of one person is no independent evidence");
      e.propensity = rows_.number(propensity_, 0, 1);
      if (e.propensity == 0) rows_.bad(propensity_, "the probability with which the text was drawn, above 0");
    } else {
      e.impression = text(impression_, "the key of the event 'shown' that it came of");
      for (const int column : {segment_, variant_, propensity_, person_, placement_})
        if (column >= 0 && !rows_.text(column).empty())
          rows_.bad(column, "empty: a result has what its impression has");
    }
    return true;
  }
  void rewind() { rows_.rewind(); }
  int64_t line() const { return rows_.line(); }

 private:
  std::string text(int column, const char* what) const {
    if (rows_.text(column).empty() || rows_.text(column).size() > 256) rows_.bad(column, what);
    return std::string(rows_.text(column));
  }

  ads::Rows rows_;
  int event_, key_, impression_, time_, segment_, variant_, propensity_, person_, placement_;
};

void run_add(const EventsFlags& f) {
  constexpr size_t kBatch = 4096;
  const TextInput input(f.input);
  ads::FeedbackCounts all;
  int64_t in_store = 0;
  stoppable([&](const Watch& watch) {
    EventRows rows(input, f.input, watch);
    ads::FeedbackEvent event;
    while (rows.next(event)) {}  // all of it is right before anything is added
    rows.rewind();
    const auto store = ads::open_feedback(f.store);
    std::vector<ads::FeedbackEvent> batch;
    std::vector<int64_t> lines;
    const auto flush = [&] {
      try {
        const ads::FeedbackCounts counts = store->add(batch);
        all.added += counts.added;
        all.repeated += counts.repeated;
      } catch (const ads::FeedbackError& e) {
        fail(e.status(), "%s, line %jd: %s", f.input.c_str(), intmax_t(lines[e.event()]), e.why());
      }
      batch.clear();
      lines.clear();
    };
    while (rows.next(event)) {
      batch.push_back(std::move(event));
      lines.push_back(rows.line());
      if (batch.size() == kBatch) flush();
    }
    flush();
    in_store = store->count();
  });
  print_format("%jd events added, %jd known already; %jd in the store\n", intmax_t(all.added), intmax_t(all.repeated),
               intmax_t(in_store));
}

std::unique_ptr<ads::FeedbackStore> open_existing(const std::string& store) {
  if (!os::is_file(store))
    fail(Status::invalid_argument, "%s is not there: puna ads events add makes it", shown(store).c_str());
  return ads::open_feedback(store);
}

void run_forget(const EventsFlags& f) {
  const int64_t rows = open_existing(f.store)->forget(f.input);
  print_format("%jd rows deleted\n", intmax_t(rows));
  if (rows == 0) warn("nobody in the store has this id");
}

// ---- feedback ----

struct FeedbackFlags {
  std::string store, texts, pairs;
  std::vector<std::string> writers;
  int64_t window = 86'400, now = INT64_MAX, least_shown = 100;
  float click = 1, lead = 10, sale = 50, confidence = 0.95f;
  bool json = false;
};

struct Text {
  std::string text, prompt, writer;
};

// {"variant", "text", "prompt", "writer"} a line; all that is needed of them is there.
std::map<std::string, Text> read_texts(const FeedbackFlags& f, const Watch& watch) {
  std::map<std::string, Text> texts;
  if (f.texts.empty()) return texts;
  const TextInput input(f.texts);
  io::each_row(input.file().text, f.texts, watch, [&](const io::Place& place, std::string_view row) {
    Json json = parse_json(row, place.text().c_str(), watch);
    const JsonGuard guard(json);
    const text::JsonField root(json, place.text());
    root.only({"variant", "text", "prompt", "writer"});
    const std::string& variant = root["variant"].string();
    Text t{.text = root["text"].string(), .prompt = root["prompt"].string(""), .writer = root["writer"].string("")};
    if (!f.pairs.empty() && root["prompt"].is_null()) root["prompt"].expected("what the writer was asked, for pairs");
    if (!f.writers.empty() && root["writer"].is_null()) root["writer"].expected("who wrote it, for a comparison");
    if (!texts.emplace(variant, std::move(t)).second) root["variant"].expected("another one than on the lines before");
  });
  return texts;
}

// The store's names as numbers.
struct Numbered {
  std::vector<ads::JudgedImpression> impressions;
  std::vector<std::string> cells, variants;
  int64_t reached[4] = {};
};

Numbered numbered(const std::vector<ads::StoredImpression>& stored, const ads::RewardModel& model) {
  Numbered n;
  std::map<std::string, int32_t> cells, variants;
  const auto number = [](std::map<std::string, int32_t>& of, std::vector<std::string>& names, std::string name) {
    const auto [at, is_new] = of.emplace(std::move(name), int32_t(names.size()));
    if (is_new) names.push_back(at->first);
    return at->second;
  };
  for (const ads::StoredImpression& i : stored) {
    ++n.reached[size_t(i.reached)];
    n.impressions.push_back({.cell = number(cells, n.cells, i.segment + ", " + i.placement),
                             .variant = number(variants, n.variants, i.variant),
                             .person = i.person,
                             .propensity = i.propensity,
                             .reward = model.of(i.reached)});
  }
  return n;
}

// Pairs of texts that answer the same prompt, a line each, as `puna dpo` reads them.
OrderedJson write_pairs(const FeedbackFlags& f, const Numbered& n, const std::map<std::string, Text>& texts) {
  const auto pairs = ads::preferred_pairs(
      n.impressions, {.confidence = double(f.confidence), .least_shown = f.least_shown, .shrink = 50});
  std::string lines;
  int64_t written = 0, unlike = 0;
  double wrong = 0;
  for (const ads::PreferredPair& p : pairs) {
    const auto text_of = [&](int32_t variant) -> const Text& {
      const auto found = texts.find(n.variants[size_t(variant)]);
      if (found == texts.end())
        fail(Status::bad_file, "%s has no text of the variant '%s'", f.texts.c_str(),
             shown(n.variants[size_t(variant)]).c_str());
      return found->second;
    };
    const Text &chosen = text_of(p.chosen), &rejected = text_of(p.rejected);
    if (chosen.prompt != rejected.prompt || chosen.text == rejected.text) {
      ++unlike;
      continue;
    }
    lines += json_text({{"prompt", chosen.prompt}, {"chosen", chosen.text}, {"rejected", rejected.text}}) + "\n";
    ++written;
    wrong += p.wrong;
  }
  if (!f.pairs.empty()) write_text(f.pairs, lines);
  return {{"pairs", written}, {"expected_wrong", wrong}, {"of_other_prompts", unlike}};
}

OrderedJson compare(const FeedbackFlags& f, const Numbered& n, const std::map<std::string, Text>& texts) {
  std::vector<int32_t> writer_of;
  for (const std::string& variant : n.variants) {
    const auto found = texts.find(variant);
    writer_of.push_back(found == texts.end()                   ? -1
                        : found->second.writer == f.writers[0] ? 0
                        : found->second.writer == f.writers[1] ? 1
                                                               : -1);
  }
  const ads::WriterDifference d = ads::writer_difference(n.impressions, writer_of);
  OrderedJson out{{"a", f.writers[0]}, {"b", f.writers[1]}, {"impressions", d.impressions}, {"left_out", d.left_out}};
  // Why no number is told at all.
  std::string why;
  if (d.impressions == 0)
    why = "no segment and placement has shown texts of both";
  else if (std::fabs(d.mean_weight_a - 1) > 0.1 || std::fabs(d.mean_weight_b - 1) > 0.1)
    why = "the propensities are not those with which the texts were drawn: the mean weights are not 1";
  else if (std::count_if(n.impressions.begin(), n.impressions.end(),
                         [](const ads::JudgedImpression& i) { return i.reward != 0; }) < 30)
    why = "fewer than 30 impressions came to anything";
  else if (std::min(d.ess_a, d.ess_b) < 100)
    why = "the effective sample size of one of them is below 100 impressions";
  if (!why.empty()) {
    out["verdict"] = "cannot tell";
    out["reason"] = why;
    return out;
  }
  const eval::MeanEstimate m = eval::clustered_mean(d.scores, d.persons, 0.95);
  out["value_a"] = d.value_a;
  out["value_b"] = d.value_b;
  out["difference"] = m.mean;
  out["standard_error"] = m.error;
  out["interval"] = {m.interval.low, m.interval.high};
  out["persons"] = m.clusters;
  out["detectable"] = eval::detectable_effect(m.error);
  out["verdict"] = m.interval.low > 0 ? "better" : m.interval.high < 0 ? "worse" : "cannot tell";
  return out;
}

void print_report(const OrderedJson& r) {
  print_format("%jd impressions: %jd clicks, %jd leads, %jd sales\n", r["impressions"].get<intmax_t>(),
               r["clicks"].get<intmax_t>(), r["leads"].get<intmax_t>(), r["sales"].get<intmax_t>());
  if (r.contains("training"))
    print_format("%jd pairs, of which %.1f will be the wrong way round\n", r["training"]["pairs"].get<intmax_t>(),
                 r["training"]["expected_wrong"].get<double>());
  if (!r.contains("comparison")) return;
  const OrderedJson& c = r["comparison"];
  const std::string a = printable(c["a"].get<std::string>()), b = printable(c["b"].get<std::string>()),
                    verdict = c["verdict"].get<std::string>();
  if (c.contains("reason"))
    return print_format("%s beside %s: cannot tell: %s\n", b.c_str(), a.c_str(),
                        c["reason"].get<std::string>().c_str());
  print_format("%s earns %.5g an impression, %s %.5g: difference %+.5g (95 %%: %+.5g to %+.5g): %s\n", b.c_str(),
               c["value_b"].get<double>(), a.c_str(), c["value_a"].get<double>(), c["difference"].get<double>(),
               c["interval"][0].get<double>(), c["interval"][1].get<double>(), verdict.c_str());
  if (verdict == "cannot tell")
    print_format("so many impressions find a difference of %.3g four times out of five\n",
                 c["detectable"].get<double>());
}

void run_feedback(const FeedbackFlags& f) {
  if (f.texts.empty() && (!f.pairs.empty() || !f.writers.empty())) usage_error_missing("--texts");
  if (!f.writers.empty() && (f.writers.size() != 2 || f.writers[0] == f.writers[1]))
    fail(Status::invalid_argument, "--writers expects two names, the old writer's and the new one's");
  OrderedJson report;
  stoppable([&](const Watch& watch) {
    const auto texts = read_texts(f, watch);
    for (const std::string& writer : f.writers)
      if (std::none_of(texts.begin(), texts.end(), [&](const auto& t) { return t.second.writer == writer; }))
        fail(Status::invalid_argument, "%s has no text by '%s'", f.texts.c_str(), shown(writer).c_str());
    const ads::RewardModel model{.click = double(f.click), .lead = double(f.lead), .sale = double(f.sale)};
    const Numbered n = numbered(open_existing(f.store)->impressions(f.window, f.now), model);
    report = {{"impressions", n.impressions.size()},
              {"clicks", n.reached[1]},
              {"leads", n.reached[2]},
              {"sales", n.reached[3]}};
    if (!f.pairs.empty()) report["training"] = write_pairs(f, n, texts);
    if (!f.writers.empty()) report["comparison"] = compare(f, n, texts);
  });
  if (f.json) return print_format("%s\n", json_text(report).c_str());
  print_report(report);
}

}  // namespace

void add_ads_feedback(const Verb& ads) {
  const Verb events(ads, "events", "What was shown and what came of it, kept without names");
  events.require_verb();
  const auto e = std::make_shared<EventsFlags>();
  const Verb add(events, "add", "Adds a table of events; those that are there already are left out");
  add.option("STORE", e->store, "the database, made where there is none").required();
  add.option("EVENTS", e->input,
             "a table: event (shown, click, lead, sale), key, impression, time, segment, variant, propensity, person "
             "and, where it differs, placement; - is standard input")
      .required();
  add.run([e] { run_add(*e); });
  const auto who = std::make_shared<EventsFlags>();
  const Verb forget(events, "forget", "Deletes a person, all that was shown to them and all that came of it");
  forget.option("STORE", who->store, "the database").required();
  forget.option("PERSON", who->input, "the id that the events had").required();
  forget.run([who] { run_forget(*who); });

  const auto f = std::make_shared<FeedbackFlags>();
  const Verb verb(ads, "feedback", "Pairs to train a writer on, and whether a new writer earns more than the old one");
  verb.option("STORE", f->store, "the database of `puna ads events`").required();
  verb.option("--texts", f->texts, "lines of {\"variant\", \"text\", \"prompt\", \"writer\"}")
      .read_when([f] { return !f->pairs.empty() || !f->writers.empty(); }, "with --pairs or --writers");
  verb.output("--pairs", f->pairs, "writes lines of {\"prompt\", \"chosen\", \"rejected\"}, for puna dpo");
  verb.option("--writers", f->writers, "compares two: the old one and the new one");
  verb.option("--window", f->window, "how long a result counts, in the unit of the times (default 86400)").at_least(0);
  verb.option("--now", f->now, "leaves out impressions whose window is not over by then (default: all are)");
  verb.option("--click", f->click, "worth of one (default 1)").within(0, 1e9);
  verb.option("--lead", f->lead, "worth of one (default 10)").within(0, 1e9);
  verb.option("--sale", f->sale, "worth of one (default 50)").within(0, 1e9);
  const auto makes_pairs = [f] { return !f->pairs.empty(); };
  verb.option("--confidence", f->confidence, "that a pair is the right way round (default .95)")
      .within(0.51, 0.999999)
      .read_when(makes_pairs, "with --pairs");
  verb.option("--least-shown", f->least_shown, "impressions of each text of a pair, in its cell (default 100)")
      .at_least(1)
      .read_when(makes_pairs, "with --pairs");
  verb.flag("--json", f->json, "one line of JSON");
  verb.run([f] { run_feedback(*f); });
}

}  // namespace puna::cli
