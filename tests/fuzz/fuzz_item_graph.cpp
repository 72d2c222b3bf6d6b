// fuzz_item_graph.cpp -- any bytes as a file of nearest neighbours for 40 small vectors: an Error, or an index whose
// walks and scans find items that are there, with their own scores, and which is written as it was read.
#include <array>
#include <cmath>

#include "expect_error.h"
#include "item_rows.h"
#include "scratch_folder.h"
#include "target.h"

namespace {

using namespace puna;

// What an index that looks at every item says of each, for each vector as the query: [query][item].
std::vector<std::vector<float>> scores_of_all(std::span<const float> rows) {
  std::vector<std::vector<float>> scores;
  for (const auto& hits :
       recsys::CodeIndex(test::tiny_context(), rows, test::kItemDim).search(rows, test::kGraphItems)) {
    scores.emplace_back(size_t(test::kGraphItems));
    for (const recsys::Hit& h : hits) scores.back()[size_t(h.item)] = h.score;
  }
  return scores;
}

void search(const recsys::NeighbourIndex& index, std::span<const float> rows, int64_t k, int64_t width,
            uint64_t allowed) {
  static const std::vector<std::vector<float>> scores = scores_of_all(rows);
  const recsys::ItemFilter filter{&allowed};
  const auto all = index.search(rows, k, width, filter);
  test::require(int64_t(all.size()) == test::kGraphItems);
  for (size_t q = 0; q < all.size(); ++q) {
    test::require(int64_t(all[q].size()) == std::min<int64_t>(k, __builtin_popcountll(allowed)));
    uint64_t seen = 0;
    for (size_t i = 0; i < all[q].size(); ++i) {
      const recsys::Hit& h = all[q][i];
      test::require(h.item >= 0 && h.item < index.count() && (allowed >> h.item & 1u) != 0 &&
                    (seen >> h.item & 1u) == 0);
      seen |= uint64_t(1) << h.item;
      test::require(std::abs(h.score - scores[q][size_t(h.item)]) < 1e-4f);
      test::require(i == 0 || h.score <= all[q][i - 1].score);
    }
  }
}

}  // namespace

FUZZ_TARGET(item_graph) {
  static const test::ScratchFolder folder;
  static const std::vector<float> rows = test::item_rows();
  test::expect_error_only([&] {
    const auto index = recsys::load_neighbours(test::tiny_context(), rows, test::kItemDim,
                                               folder.write("graph", test::text_of(data, size)));
    constexpr uint64_t kAll = (uint64_t(1) << test::kGraphItems) - 1;
    // Of 40 items narrow searches walk from neighbour to neighbour, the others look at all.
    search(*index, rows, 1, 1, kAll);
    search(*index, rows, 2, 2, kAll);
    search(*index, rows, 1, 1, kAll & ~uint64_t(0b1010));
    search(*index, rows, 5, 0, kAll);
    search(*index, rows, 50, 100, 0x5555555555 & kAll);
    index->save(folder / "again");
    recsys::load_neighbours(test::tiny_context(), rows, test::kItemDim, folder / "again")->save(folder / "once_more");
    test::require(folder.read("again") == folder.read("once_more"));
  });
  return 0;
}
