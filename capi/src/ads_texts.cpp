// ads_texts.cpp -- puna_lint_*, puna_ads_plan_write: texts of advertisements checked, and written from a brief.
#if PUNA_ADS
#include "ads_handles.h"
#include "buffer.h"
#include "handles.h"
#include "puna/ads/plan.h"

using namespace puna;
using namespace puna::capi;
using namespace puna::ads;  // PlanOptions is another one than puna's: see CMakeLists.txt

namespace {

// rules and placements, which both structs have; NULL where there are none.
template <class Options>
std::shared_ptr<const LintRules> rules_from_c(const Options& o) {
  return o.rules ? LintRules::read(text_view(o.rules, o.rules_bytes, "rules"), "rules") : nullptr;
}
template <class Options>
std::optional<Placements> placements_from_c(const Options& o) {
  if (!o.placements) return std::nullopt;
  return read_placements(text_view(o.placements, o.placements_bytes, "placements"), "placements");
}

}  // namespace

puna_status puna_lint_create(const puna_lint_options* options, puna_lint** lint) {
  return guard([&] {
    PUNA_REQUIRE(lint != nullptr, "lint is NULL");
    const puna_lint_options o = read_options(options, "puna_lint_options");
    require_reserved(o.reserved, "puna_lint_options");
    LinterOptions l;
    l.rules = rules_from_c(o);
    l.placements = placements_from_c(o);
    PUNA_REQUIRE(!o.brief || o.brief_bytes > 0, "brief is empty, expected JSON, or NULL for none");
    l.brief = text_view(o.brief, o.brief_bytes, "brief");
    l.language = text_or_empty(o.language);
    *lint = new puna_lint{Linter(std::move(l))};
  });
}

puna_status puna_lint_check(const puna_lint* lint, const char* placement, const char* field, const char* text,
                            size_t text_bytes, int32_t* errors, puna_buffer* json) {
  return guard([&] {
    const Linter& l = ads_handle(lint, "lint");
    puna_buffer& out = capi::use(json, "json");
    const std::string_view view = text_view(text, text_bytes, "text");
    const LintContext context = l.context(placement ? placement : "", field ? field : "");
    const std::vector<Finding> findings = l.rules().lint(view, context);
    out.store(lint_json(view, findings, context));
    if (errors) *errors = has_errors(findings);
  });
}

void puna_lint_free(puna_lint* lint) { delete lint; }

puna_status puna_ads_plan_write(const puna_model* model, const char* brief, size_t brief_bytes,
                                const puna_ads_plan_options* options, puna_buffer* json) {
  return guard([&] {
    const Model& m = capi::use(model);
    puna_buffer& out = capi::use(json, "json");
    PUNA_REQUIRE(brief != nullptr, "brief is NULL");
    const puna_ads_plan_options o = read_options(options, "puna_ads_plan_options");
    require_reserved(o.reserved, "puna_ads_plan_options");
    PlanOptions p;
    p.exact = flag(o.exact, "exact");
    if (o.temperature != 0)
      p.temperature = o.temperature == -1 ? 0 : float(number_in_range(double(o.temperature), 0, 10, "temperature"));
    if (o.top_p != 0) p.top_p = float(number_in_range(double(o.top_p), 0.001, 1, "top_p"));
    if (o.parallel != 0) p.parallel = int32_t(in_range(o.parallel, 1, 256, "parallel"));
    p.rules = rules_from_c(o);
    const std::optional<Placements> placements = placements_from_c(o);
    p.placements = placements ? &*placements : nullptr;
    p.model_path = text_or_empty(o.model_name);
    p.adapter_path = text_or_empty(o.adapter_name);
    p.made_at = text_or_empty(o.made_at);
    if (o.adapter) {
      capi::use(o.adapter);
      PUNA_REQUIRE(o.adapter->model.get() == &m, "the adapter was made for another model");
      p.adapter = o.adapter->impl;
    }
    int64_t done = 0, total = 0;
    p.progress = [&](int64_t now, int64_t all) {
      done = now;
      total = all;
    };
    const auto go_on = [&] { return !o.progress || o.progress(o.progress_user, uint64_t(done), uint64_t(total)) == 0; };
    const Watch watch(go_on);
    out.store(write_plan(text_view(brief, brief_bytes, "brief"), "brief", model->impl, p, watch).json);
  });
}
#endif
