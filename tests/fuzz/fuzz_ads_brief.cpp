// fuzz_ads_brief.cpp -- a brief: an Error, or facts, segments and amounts that fit together, and pieces that its own
// facts support.
#include "ads/creative/pieces.h"
#include "ads/creative/text_grammar.h"
#include "expect_error.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(ads_brief) {
  using namespace puna;
  test::expect_error_only([&] {
    const ads::Brief brief = ads::read_brief(test::text_of(data, size), "brief.json", ads::known_placements());
    test::require(!brief.facts.empty() && !brief.segments.empty() && !brief.placements.empty());
    ads::Micros sum = 0;
    for (const ads::Micros day : brief.budget.by_day()) sum += day;
    test::require(sum == brief.budget.lifetime && sum > 0 && sum <= ads::kMostMicros);
    if (brief.facts.size() > 20) return;
    const ads::Pieces pieces = ads::pieces_of(brief);
    for (const ads::Clause& c : pieces.clauses) test::require(pieces.lock.unsupported(c.text).empty());
    const ads::Placement& placement = ads::known_placements().find(brief.placements[0].id);
    const ads::PlacementField& field = placement.fields[0];
    ads::LintContext context;
    context.placement = &placement;
    context.field = &field;
    const ads::FieldPieces own = ads::pieces_for(pieces, *ads::LintRules::known(), context, field.limit);
    for (const std::string& text : ads::plain_texts(own, placement, ads::shape_of(field, field.limit), 50))
      test::require(ads::length_in(placement, text) <= field.limit);
  });
  return 0;
}
