// fuzz_improve_items.cpp -- any bytes as the items of `puna improve`: an Error with its line, or items whose answers
// are among their choices.
#include <set>

#include "expect_error.h"
#include "improve/items.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(improve_items) {
  using namespace puna;
  test::expect_error_only([&] {
    const improve::Items items = improve::read_items(test::text_of(data, size), "file");
    std::set<std::string> names;
    for (const improve::Item& i : items.all) {
      test::require(names.insert(i.item).second && !i.prompt.empty() && !i.text.empty() && i.choices.size() >= 2);
      test::require(i.answer >= -1 && i.answer < int64_t(i.choices.size()));
    }
  });
  return 0;
}
