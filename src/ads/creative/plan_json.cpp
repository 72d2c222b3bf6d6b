#include "ads/creative/plan_json.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/hash.h"
#include "base/json_field.h"
#include "puna/ads/choice.h"
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

OrderedJson json_of(const Finding& f) {
  return {
      {"rule", f.rule}, {"severity", name_of(f.severity)}, {"begin", f.begin}, {"end", f.end}, {"reason", f.reason}};
}

OrderedJson json_of(const PlannedText& t) {
  OrderedJson lint = OrderedJson::array();
  for (const Finding& f : t.findings) lint.push_back(json_of(f));
  OrderedJson json = {{"field", t.field},
                      {"text", t.text},
                      {"length", t.length},
                      {"limit", t.limit},
                      {"utf16", t.utf16},
                      {"facts", t.facts},
                      {"lint", lint},
                      {"by", t.by_model ? "model" : "facts"},
                      {"text_hash", hex_of(hash_of(t.text))}};
  if (t.by_model) {
    json["seed"] = t.seed;
    json["prompt_hash"] = hex_of(t.prompt_hash);
    json["grammar_hash"] = hex_of(t.grammar_hash);
  }
  return json;
}

OrderedJson placements_of(const Plan& plan, const Brief& brief) {
  OrderedJson placements = OrderedJson::array();
  for (const PlannedPlacement& p : plan.placements) {
    OrderedJson variants = OrderedJson::array();
    for (const PlannedVariant& v : p.variants) {
      OrderedJson texts = OrderedJson::array();
      for (const PlannedText& t : v.texts) texts.push_back(json_of(t));
      variants.push_back(
          {{"id", v.id}, {"written_for", brief.segments[v.segment].name}, {"parent", nullptr}, {"texts", texts}});
    }
    placements.push_back({{"placement", p.placement}, {"asked", p.asked}, {"variants", variants}});
  }
  return placements;
}

// To the segments by their shares, then to the placements alike: every sum is exact.
OrderedJson budget_of(const Plan& plan, const Brief& brief) {
  std::vector<double> shares;
  for (const Segment& s : brief.segments) shares.push_back(s.share);
  const std::vector<Micros> by_segment = split_exactly(brief.budget.lifetime, shares);
  OrderedJson segments = OrderedJson::array();
  for (size_t s = 0; s < brief.segments.size(); ++s) {
    const std::vector<Micros> parts = split_exactly(by_segment[s], std::vector<double>(plan.placements.size(), 1.0));
    OrderedJson placements = OrderedJson::array();
    for (size_t p = 0; p < parts.size(); ++p)
      placements.push_back({{"placement", plan.placements[p].placement}, {"micros", parts[p]}});
    segments.push_back({{"segment", brief.segments[s].name}, {"micros", by_segment[s]}, {"placements", placements}});
  }
  const Budget& b = brief.budget;
  return {{"currency", b.currency}, {"start", b.start},     {"end", b.end},         {"time_zone", b.time_zone},
          {"days", b.days},         {"micros", b.lifetime}, {"by_day", b.by_day()}, {"segments", segments}};
}

// What each segment would see on the first day: nothing is known yet, so the chooser shows all variants alike.
OrderedJson seen_by_segments(const Plan& plan, const Brief& brief) {
  OrderedJson segments = OrderedJson::array();
  for (size_t s = 0; s < brief.segments.size(); ++s) {
    OrderedJson placements = OrderedJson::array();
    for (const PlannedPlacement& p : plan.placements) {
      OrderedJson shown = OrderedJson::array();
      if (p.variants.size() == 1) {
        shown.push_back({{"variant", p.variants[0].id}, {"probability", 1.0}});
      } else {
        ChooserOptions options;
        options.segments = int32_t(brief.segments.size());
        options.variants = int32_t(p.variants.size());
        Chooser chooser(options);
        const std::span<const double> probability = chooser.propensities(int32_t(s));
        for (size_t v = 0; v < p.variants.size(); ++v)
          shown.push_back({{"variant", p.variants[v].id}, {"probability", probability[v]}});
      }
      placements.push_back({{"placement", p.placement}, {"variants", shown}});
    }
    segments.push_back({{"segment", brief.segments[s].name}, {"placements", placements}});
  }
  return segments;
}

}  // namespace

std::string plan_json(const Plan& plan, const std::string& brief_json, const Brief& brief, const Model& model,
                      const PlanOptions& options) {
  OrderedJson adapter;
  if (options.adapter) adapter = {{"path", options.adapter_path}, {"hash", hex_of(options.adapter->fingerprint())}};
  OrderedJson json = {{"puna_ads_plan", kPlanVersion},
                      {"library", PUNA_LIBRARY_VERSION},
                      {"made_at", options.made_at},
                      {"brief", parse_json_argument(brief_json, "the brief", Watch(), true)},
                      {"brief_hash", hex_of(brief.hash)},
                      {"model",
                       {{"path", options.model_path},
                        {"hash", hex_of(fingerprint(model.llama()))},
                        {"tokenizer_hash", hex_of(tokenizer_hash(model.require_tokenizer()))},
                        {"template_hash", hex_of(model.chat_template() ? hash_of(model.chat_template()->source()) : 0)},
                        {"exact", options.exact}}},
                      {"adapter", adapter},
                      {"sampler",
                       {{"temperature", std::round(double(options.temperature) * 1e6) / 1e6},
                        {"top_p", std::round(double(options.top_p) * 1e6) / 1e6}}},
                      {"rules_hash", hex_of(options.rules->hash())},
                      {"placements_hash", hex_of(options.placements->hash)},
                      {"language", brief.language},
                      {"placements", placements_of(plan, brief)},
                      {"budget", budget_of(plan, brief)},
                      {"segments", seen_by_segments(plan, brief)},
                      {"counts",
                       {{"written", plan.written},
                        {"passed_lint", plan.passed_lint},
                        {"refused_by_lint", plan.refused},
                        {"refused_by", plan.refused_by},
                        {"near_duplicates", plan.duplicates},
                        {"incomplete", plan.incomplete},
                        {"without_model", plan.without_model}}},
                      {"notes", plan.notes}};
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
