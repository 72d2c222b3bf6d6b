// fuzz_studio_request.cpp -- any bytes as the body of a request of the page of advertisements, of the endpoint that the
// first one says: an answer that is JSON, or a refusal of the caller's; and what was decided is still read.
#include "base/json.h"
#include "expect_error.h"
#include "scratch_folder.h"
#include "studio/api.h"
#include "target.h"

namespace {

using namespace puna;
using namespace puna::studio;

constexpr const char* kStudioPaths[] = {"/v1/lint", "/v1/plan", "/v1/decide", "/v1/week", "/v1/state"};

// Without a model: what a plan's brief becomes is fuzz_ads_brief's.
std::string plan_of(std::string_view brief) {
  return "{\"puna_ads_plan\":1,\"brief\":" + std::string(brief) + ",\"placements\":[]}";
}

}  // namespace

FUZZ_TARGET(studio_request) {
  if (size < 1) return 0;
  const auto store = label::open_label_store(":memory:");
  StudioOptions o;
  o.rules = ads::LintRules::known();
  o.placements = ads::known_placements();
  o.store = store.get();
  o.write = [](std::string_view brief, const Watch&, const std::function<void(int64_t, int64_t)>& progress) {
    progress(1, 1);
    return plan_of(brief);
  };
  Api api(std::move(o), {});
  http::Request r;
  r.body = std::string(test::text_of(data + 1, size - 1));
  for (const char* path : {kStudioPaths[data[0] % std::size(kStudioPaths)], "/v1/state"}) {
    r.path = path;
    r.method = r.path == "/v1/state" ? "GET" : "POST";
    const http::Answer a = api.answer(r);
    test::require(a.status == 200 || a.status == 400 || a.status == 409);
    test::require(r.path != "/v1/state" || a.status == 200);
    Json body = parse_json(a.body, "the answer");
    test::require(body.is_object() && (a.status == 200) != body.contains("error"));
    dismantle(body);
    if (a.status == 200 && r.method == "POST") test::accepted = true;
  }
  return 0;
}
