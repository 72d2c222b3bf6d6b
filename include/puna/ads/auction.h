// auction.h -- auctions as they are sold: one item at the second or the first price, and several slots of a page by GSP
// or VCG. Amounts are numbers in any unit; ties go to the lowest number.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace puna::ads {

enum class SlotRule : uint8_t { gsp, vcg };

struct SingleResult {
  int32_t winner = -1;  // -1: nobody bid the reserve
  double price = 0;
};
// The highest bid wins, when it is at least the reserve, and pays the larger of the next bid and the reserve.
SingleResult second_price(std::span<const double> bids, double reserve = 0);
// ... and pays its bid.
SingleResult first_price(std::span<const double> bids, double reserve = 0);

struct SlotResult {
  int32_t winner = -1;
  double per_click = 0;  // what the winner pays for a click
  double expected = 0;   // and on average for being shown: click factor of the slot * quality * per_click
};
// Bids are per click; bidder i is ranked by bid * quality, quality being the factor by which its ad is clicked more
// often than another's. Slot j is clicked with probability click_factors[j], falling.
//   GSP   slot j pays bid_{j+1} quality_{j+1} / quality_j a click: what keeps the place
//   VCG   slot j pays for being shown sum_{l >= j} (c_l - c_{l+1}) bid_{l+1} quality_{l+1}: what the others lose by it
// (B. Edelman, M. Ostrovsky, M. Schwarz, "Internet advertising and the generalized second-price auction", AER 2007.)
// A result a slot. Error{invalid_argument}: negative or infinite numbers, click factors that rise, lists of different
// lengths.
std::vector<SlotResult> sell_slots(SlotRule rule, std::span<const double> bids, std::span<const double> qualities,
                                   std::span<const double> click_factors);

}  // namespace puna::ads
