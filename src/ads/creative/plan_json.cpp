#include "ads/creative/plan_json.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/hash.h"
#include "base/json_field.h"
#include "base/json_out.h"
#include "puna/ads/choice.h"
#include "puna/ads/linter.h"
#include "puna/base/error.h"
#include "runtime/opening/fingerprint.h"

namespace puna::ads {
namespace {

constexpr int64_t kPlanVersion = 1;

uint64_t from_hex(const text::JsonField& field) {
  const std::string& digits = field.string();
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) field.expected("a hash");
  return value;
}

uint64_t tokenizer_hash(const Tokenizer& tokenizer) {
  Hash hash;
  for (int32_t id = 0; id < tokenizer.size(); ++id) hash.add(tokenizer.bytes(id));
  return hash.value();
}

std::string json_of(const PlannedText& t) {
  JsonList lint;
  for (const Finding& f : t.findings) lint.add(finding_json(f, t.text));
  JsonObject json;
  json.text("field", t.field)
      .text("text", t.text)
      .integer("length", t.length)
      .integer("limit", t.limit)
      .integer("utf16", t.utf16)
      .json("facts", json_strings(t.facts))
      .json("lint", lint.str())
      .text("by", t.by_model ? "model" : "facts")
      .text("text_hash", hex_of(hash_of(t.text)));
  if (t.by_model)
    json.json("seed", std::to_string(t.seed))
        .text("prompt_hash", hex_of(t.prompt_hash))
        .text("grammar_hash", hex_of(t.grammar_hash));
  return json.str();
}

std::string placements_of(const Plan& plan, const Brief& brief) {
  JsonList placements;
  for (const PlannedPlacement& p : plan.placements) {
    JsonList variants;
    for (const PlannedVariant& v : p.variants) {
      JsonList texts;
      for (const PlannedText& t : v.texts) texts.add(json_of(t));
      variants.add(JsonObject()
                       .text("id", v.id)
                       .text("written_for", brief.segments[v.segment].name)
                       .json("parent", "null")
                       .json("texts", texts.str())
                       .str());
    }
    placements.add(
        JsonObject().text("placement", p.placement).integer("asked", p.asked).json("variants", variants.str()).str());
  }
  return placements.str();
}

// To the segments by their shares, then to the placements alike: every sum is exact.
std::string budget_of(const Plan& plan, const Brief& brief) {
  std::vector<double> shares;
  for (const Segment& s : brief.segments) shares.push_back(s.share);
  const std::vector<Micros> by_segment = split_exactly(brief.budget.lifetime, shares);
  JsonList segments, by_day;
  for (size_t s = 0; s < brief.segments.size(); ++s) {
    const std::vector<Micros> parts = split_exactly(by_segment[s], std::vector<double>(plan.placements.size(), 1.0));
    JsonList placements;
    for (size_t p = 0; p < parts.size(); ++p)
      placements.add(JsonObject().text("placement", plan.placements[p].placement).integer("micros", parts[p]).str());
    segments.add(JsonObject()
                     .text("segment", brief.segments[s].name)
                     .integer("micros", by_segment[s])
                     .json("placements", placements.str())
                     .str());
  }
  const Budget& b = brief.budget;
  for (const Micros day : b.by_day()) by_day.add(std::to_string(day));
  return JsonObject()
      .text("currency", b.currency)
      .text("start", b.start)
      .text("end", b.end)
      .text("time_zone", b.time_zone)
      .integer("days", b.days)
      .integer("micros", b.lifetime)
      .json("by_day", by_day.str())
      .json("segments", segments.str())
      .str();
}

// What each segment would see on the first day: nothing is known yet, so the chooser shows all variants alike.
std::string seen_by_segments(const Plan& plan, const Brief& brief) {
  JsonList segments;
  for (size_t s = 0; s < brief.segments.size(); ++s) {
    JsonList placements;
    for (const PlannedPlacement& p : plan.placements) {
      std::vector<double> probability{1.0};
      if (p.variants.size() != 1) {
        ChooserOptions options;
        options.segments = int32_t(brief.segments.size());
        options.variants = int32_t(p.variants.size());
        Chooser chooser(options);
        const std::span<const double> all = chooser.propensities(int32_t(s));
        probability.assign(all.begin(), all.end());
      }
      JsonList shown;
      for (size_t v = 0; v < p.variants.size(); ++v)
        shown.add(JsonObject().text("variant", p.variants[v].id).real("probability", probability[v]).str());
      placements.add(JsonObject().text("placement", p.placement).json("variants", shown.str()).str());
    }
    segments.add(JsonObject().text("segment", brief.segments[s].name).json("placements", placements.str()).str());
  }
  return segments.str();
}

std::string counts_of(const Plan& plan) {
  JsonObject refused;
  for (const auto& [rule, n] : plan.refused_by) refused.integer(rule, n);
  return JsonObject()
      .integer("written", plan.written)
      .integer("passed_lint", plan.passed_lint)
      .integer("refused_by_lint", plan.refused)
      .json("refused_by", refused.str())
      .integer("near_duplicates", plan.duplicates)
      .integer("incomplete", plan.incomplete)
      .integer("without_model", plan.without_model)
      .str();
}

std::string model_of(const Model& model, const PlanOptions& options) {
  return JsonObject()
      .text("path", options.model_path)
      .text("hash", hex_of(fingerprint(model.llama())))
      .text("tokenizer_hash", hex_of(tokenizer_hash(model.require_tokenizer())))
      .text("template_hash", hex_of(model.chat_template() ? hash_of(model.chat_template()->source()) : 0))
      .flag("exact", options.exact)
      .str();
}

}  // namespace

std::string plan_json(const Plan& plan, const std::string& brief_json, const Brief& brief, const Model& model,
                      const PlanOptions& options) {
  const auto rounded = [](float value) { return std::round(double(value) * 1e6) / 1e6; };
  JsonObject adapter;
  if (options.adapter) adapter.text("path", options.adapter_path).text("hash", hex_of(options.adapter->fingerprint()));
  const JsonObject sampler =
      JsonObject().real("temperature", rounded(options.temperature)).real("top_p", rounded(options.top_p));
  const std::string text = JsonObject()
                               .integer("puna_ads_plan", kPlanVersion)
                               .text("library", PUNA_LIBRARY_VERSION)
                               .text("made_at", options.made_at)
                               .json("brief", brief_json)
                               .text("brief_hash", hex_of(brief.hash))
                               .json("model", model_of(model, options))
                               .json("adapter", options.adapter ? adapter.str() : "null")
                               .json("sampler", sampler.str())
                               .text("rules_hash", hex_of(options.rules->hash()))
                               .text("placements_hash", hex_of(options.placements->hash))
                               .text("language", brief.language)
                               .json("placements", placements_of(plan, brief))
                               .json("budget", budget_of(plan, brief))
                               .json("segments", seen_by_segments(plan, brief))
                               .json("counts", counts_of(plan))
                               .json("notes", json_strings(plan.notes))
                               .str();
  OrderedJson json = parse_json_argument(text, "the plan", Watch(), true);
  const JsonGuard guard(json);
  return json.dump(1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

PlanOrigin plan_origin(std::string_view plan, const std::string& name) {
  OrderedJson tree = parse_json_argument(plan, name.c_str(), Watch(), true);
  const JsonGuard guard(tree);
  Json plain = parse_json(plan, name.c_str());
  const JsonGuard second(plain);
  try {
    const text::JsonField root(plain, name + ": ");
    if (!root.is_object() || root["puna_ads_plan"].is_null())
      fail(Status::invalid_argument, "%s is no plan", name.c_str());
    if (const int64_t version = root["puna_ads_plan"].integer(0, INT64_MAX); version != kPlanVersion)
      fail(Status::unsupported, "%s: a plan of version %jd, this library knows %jd", name.c_str(), version,
           kPlanVersion);
    PlanOrigin origin;
    if (!root["brief"].is_object()) root["brief"].expected("a brief");
    origin.brief = json_text(tree["brief"]);
    origin.options.made_at = root["made_at"].string("");
    origin.options.model_path = root["model"]["path"].string();
    origin.model = from_hex(root["model"]["hash"]);
    origin.options.exact = root["model"]["exact"].boolean(false);
    if (!root["adapter"].is_null()) {
      origin.options.adapter_path = root["adapter"]["path"].string();
      origin.adapter = from_hex(root["adapter"]["hash"]);
    }
    const auto number = [&](const char* key) {
      const text::JsonField field = root["sampler"][key];
      if (!field.json().is_number()) field.expected("a number");
      return field.json().get<float>();
    };
    origin.options.temperature = number("temperature");
    origin.options.top_p = number("top_p");
    origin.rules = from_hex(root["rules_hash"]);
    origin.placements = from_hex(root["placements_hash"]);
    return origin;
  } catch (const Error& e) {
    if (e.status() != Status::bad_file) throw;
    fail(Status::invalid_argument, "%s", e.what());
  }
}

}  // namespace puna::ads
