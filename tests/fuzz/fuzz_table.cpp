// fuzz_table.cpp -- any bytes as a table of interactions: what is taken is consistent, and nobody's history runs
// backwards.
#include "expect_error.h"
#include "puna/recsys/interactions.h"
#include "target.h"

FUZZ_TARGET(table) {
  using namespace puna;
  test::expect_error_only([&] {
    const recsys::Interactions all = recsys::read_interactions(open_memory_source(data, size, "table.csv"));
    if (all.histories.size() != all.users.size()) __builtin_trap();
    const recsys::Names names(std::span(all.items).subspan(1), "item");
    for (const auto& history : all.histories)
      for (size_t i = 0; i < history.size(); ++i) {
        if (history[i].item < 1 || history[i].item > all.item_count()) __builtin_trap();
        if (i > 0 && history[i].time < history[i - 1].time) __builtin_trap();
      }
    for (size_t i = 1; i < all.items.size(); ++i)
      if (names.find(all.items[i]) != int64_t(i) - 1 || all.item(all.items[i]) != int32_t(i)) __builtin_trap();
  });
  return 0;
}
