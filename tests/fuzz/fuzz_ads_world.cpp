// fuzz_ads_world.cpp -- a world (JSON) up to the first zero byte, and a stream of impressions behind it: an Error, or a
// simulation in which nothing beats the oracle.
#include "ads/world_files.h"
#include "expect_error.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(ads_world) {
  using namespace puna;
  std::string_view parts[2];
  test::split_at_zeros(test::text_of(data, size), parts);
  test::expect_error_only([&] {
    const ads::NamedWorld w = ads::read_world({.text = parts[0], .name = "world.json"});
    test::require(w.world.p.size() == size_t(w.world.segments) * size_t(w.world.variants));
    const auto stream = ads::read_stream({.text = parts[1], .name = "stream.csv"}, w);
    if (w.world.p.size() > 100 || stream.size() > 1000) return;
    for (const ads::ChoiceRun& r : ads::simulate_choice(w.world, stream, 100, 1))
      test::require(r.over_oracle >= 0 && r.over_oracle <= 1 + 1e-12 && r.clicks <= double(stream.size()));
  });
  return 0;
}
