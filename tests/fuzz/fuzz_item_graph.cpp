// fuzz_item_graph.cpp -- any bytes as a file of nearest neighbours for 40 small vectors: an Error, or an index that
// finds items that are there and is written as it was read.
#include <array>

#include "expect_error.h"
#include "item_rows.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(item_graph) {
  using namespace puna;
  static const test::ScratchFolder folder;
  static const std::vector<float> rows = test::item_rows();
  test::expect_error_only([&] {
    const auto index = recsys::load_neighbours(test::tiny_context(), rows, test::kItemDim,
                                               folder.write("graph", test::text_of(data, size)));
    for (const auto& hits : index->search(std::span(rows).first(size_t(4 * test::kItemDim)), 5)) {
      test::require(hits.size() <= 5);
      for (const recsys::Hit& h : hits) test::require(h.item >= 0 && h.item < index->count());
    }
    index->save(folder / "again");
    recsys::load_neighbours(test::tiny_context(), rows, test::kItemDim, folder / "again")->save(folder / "once_more");
    test::require(folder.read("again") == folder.read("once_more"));
  });
  return 0;
}
