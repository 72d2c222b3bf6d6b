// plan.cpp -- a brief's placements, field by field: a few rounds of the model for all of them together, then what still
// misses is put together without it.
#include "puna/ads/plan.h"

#include <algorithm>
#include <deque>

#include "ads/creative/plan_json.h"
#include "ads/creative/writer.h"
#include "base/hash.h"
#include "base/json.h"
#include "puna/base/error.h"
#include "puna/text/duplicates.h"

namespace puna::ads {
namespace {

constexpr int kRounds = 3;
constexpr uint64_t kStepUs = 20'000;  // between two looks at the watch
constexpr double kAlikeVariants = 0.8;

struct PlacementWriters {
  const BriefPlacement* asked;
  const Placement* placement;
  std::deque<FieldWriter> fields;
};

// Where no fact fits a placement's roomiest field, its advertisements could not say anything.
void require_facts(const Brief&, const PlacementWriters& w, const std::string& name) {
  const FieldWriter* roomiest = nullptr;
  int64_t most = -1;
  for (const FieldWriter& f : w.fields) {
    if (f.facts() > 0) return;
    if (f.slots().empty()) continue;
    if (f.slots().front().limit > most) {
      roomiest = &f;
      most = f.slots().front().limit;
    }
  }
  if (roomiest)
    fail(Status::invalid_argument, "%s: facts: none of them fits %s: %s", name.c_str(), w.placement->id.c_str(),
         roomiest->why_none().c_str());
}

void run(Engine& engine, std::deque<PlacementWriters>& writers, const Prompts& prompts, const PlanOptions& options,
         const Brief& brief, Plan& plan, int64_t total, const Watch& watch) {
  int64_t told = 0;
  const auto tell = [&](int64_t done) {
    told = std::max(told, done);  // texts that turn out to be alike miss again
    if (options.progress) options.progress(told, total);
  };
  const auto sum = [&](int64_t (FieldWriter::*of)() const) {
    int64_t all = 0;
    for (const PlacementWriters& w : writers)
      for (const FieldWriter& f : w.fields) all += (f.*of)();
    return all;
  };
  for (int round = 0; round < kRounds; ++round) {
    uint64_t number = 0;
    bool asked = false;
    for (PlacementWriters& w : writers)
      for (FieldWriter& f : w.fields) {
        Hash seed;
        for (const uint64_t part : {brief.seed, number++, uint64_t(round)}) seed.add_value(part);
        if (f.missing() == 0) continue;
        f.submit(engine, prompts, options, seed.value());
        asked = true;
      }
    if (!asked) return;
    const int64_t missing = sum(&FieldWriter::missing), answers = sum(&FieldWriter::asked);
    while (engine.step(kStepUs)) {
      watch.tick(1 << 20);
      tell(total - missing + missing * sum(&FieldWriter::answered) / answers);
    }
    for (PlacementWriters& w : writers)
      for (FieldWriter& f : w.fields) f.collect(plan);
    tell(total - sum(&FieldWriter::missing));
  }
}

// The texts of the fields, variant by variant; those that miss a text, and those that say what another one says, go.
PlannedPlacement assembled(const Brief& brief, PlacementWriters& w, Plan& plan, const std::string& name) {
  PlannedPlacement placement{w.placement->id, w.asked->variants, {}};
  std::vector<PlannedVariant> variants(size_t(w.asked->variants));
  std::vector<bool> whole(variants.size(), true);
  for (size_t v = 0; v < variants.size(); ++v) variants[v].segment = v % brief.segments.size();
  size_t next = 0;
  for (const PlacementField& field : w.placement->fields) {
    if (field.least == 0) continue;
    if (field.kind == TextKind::name) {
      PlannedText t;
      t.field = field.name;
      t.text = brief.name;
      t.length = length_in(*w.placement, brief.name);
      t.limit = field.limit;
      for (PlannedVariant& v : variants) v.texts.push_back(t);
      continue;
    }
    FieldWriter& f = w.fields[next++];
    f.complete(plan);
    for (const Slot& s : f.slots()) {
      if (s.filled)
        variants[s.variant].texts.push_back(s.text);
      else
        whole[s.variant] = false;
    }
  }
  std::vector<std::string> joined;
  for (size_t v = 0; v < variants.size(); ++v) {
    if (!whole[v]) continue;
    std::string all;
    for (const PlannedText& t : variants[v].texts) all += t.text + " ";
    joined.push_back(std::move(all));
    placement.variants.push_back(std::move(variants[v]));
  }
  if (placement.variants.empty())
    fail(Status::invalid_argument, "%s: facts: they make no %s that has all its texts", name.c_str(),
         w.placement->id.c_str());
  const std::vector<std::string_view> views(joined.begin(), joined.end());
  const Duplicates alike = find_duplicates(views, {.similarity = kAlikeVariants, .bands = 40, .rows = 3, .shingle = 1});
  std::vector<PlannedVariant> distinct;
  for (size_t v = 0; v < views.size(); ++v) {
    if (alike.group[v] != int64_t(v)) continue;
    distinct.push_back(std::move(placement.variants[v]));
    distinct.back().id = placement.placement + "/" + std::to_string(distinct.size());
  }
  placement.variants = std::move(distinct);
  if (int64_t(placement.variants.size()) < placement.asked)
    plan.notes.push_back("placements: " + placement.placement + ": " + std::to_string(placement.variants.size()) +
                         " variants instead of " + std::to_string(placement.asked) +
                         ": the facts give no more that differ");
  return placement;
}

}  // namespace

Plan write_plan(std::string_view text, const std::string& name, const ModelPtr& model, const PlanOptions& given,
                const Watch& watch) {
  PlanOptions options = given;
  if (!options.placements) options.placements = &known_placements();
  if (!options.rules) options.rules = LintRules::known();
  OrderedJson tree = parse_json_argument(text, name.c_str(), watch, true);
  const JsonGuard guard(tree);
  const std::string canonical = json_text(tree);  // white space is not part of a brief
  const Brief brief = read_brief(canonical, name, *options.placements);
  Plan plan;
  plan.notes = brief.notes;
  const Pieces pieces = pieces_of(brief);
  if (brief.language_was_seen) plan.notes.push_back("language: not given; '" + brief.language + "' by the facts");
  if (pieces.frames.empty())
    plan.notes.push_back("language: there are no words of '" + brief.language +
                         "' for sentences of their own: texts are made of the facts' sentences");
  std::deque<PlacementWriters> writers;
  int64_t total = 0;
  for (const BriefPlacement& asked : brief.placements) {
    PlacementWriters& w = writers.emplace_back();
    w.asked = &asked;
    w.placement = &options.placements->find(asked.id);
    for (const PlacementField& field : w.placement->fields) {
      if (field.least == 0) continue;
      if (field.kind == TextKind::name) {
        const int64_t length = length_in(*w.placement, brief.name);
        PUNA_REQUIRE(length <= field.limit, "%s: name: %jd characters, %s of %s takes %jd", name.c_str(), length,
                     field.name.c_str(), asked.id.c_str(), field.limit);
        continue;
      }
      w.fields.emplace_back(brief, pieces, *w.placement, field, asked.variants, *options.rules, watch);
      total += w.fields.back().missing();
    }
    require_facts(brief, w, name);
  }

  EngineOptions engine_options;
  engine_options.session.exact = options.exact;
  engine_options.max_running = std::max(options.parallel, 8);
  engine_options.max_queued = 1'000'000;
  Engine engine(model, engine_options);
  const Prompts prompts(brief, *model, engine.options().session.max_positions);
  run(engine, writers, prompts, options, brief, plan, total, watch);
  for (PlacementWriters& w : writers) plan.placements.push_back(assembled(brief, w, plan, name));
  plan.json = plan_json(plan, canonical, brief, *model, options);
  return plan;
}

}  // namespace puna::ads
