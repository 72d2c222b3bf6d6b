// fuzz_recipe.cpp -- a recipe (JSON) up to the first zero byte, its table of events up to the second, and another table
// behind that: an Error, or examples that are consistent.
#include <cmath>

#include "base/os.h"
#include "expect_error.h"
#include "rec_recipe.h"
#include "scratch_folder.h"
#include "target.h"

namespace puna::cli {
// common.cpp's; the rest of that file wants the whole command.
std::string read_input(const std::string& path) { return os::read_file(path, 1 << 24); }
}  // namespace puna::cli

FUZZ_TARGET(recipe) {
  using namespace puna;
  using test::require;
  static const test::ScratchFolder folder;
  std::string_view parts[3];
  test::split_at_zeros(test::text_of(data, size), parts);
  const std::string recipe = folder.write("recipe.json", parts[0]);
  folder.write("events.csv", parts[1]);
  folder.write("items.csv", parts[2]);
  for (const char* interaction : {"", "linear"})
    test::expect_error_only([&] {
      const cli::RecipeData all = cli::read_recipe(recipe, folder.path(), interaction);
      const recsys::Examples examples = all.examples.examples();
      const size_t features = all.config.features.size();
      require(examples.count > 0 && (all.order.empty() || int64_t(all.order.size()) == examples.count));
      require(all.vocabularies.size() == features && all.content_feature < int(features));
      for (int64_t i = 0; i < examples.count; ++i) {
        require(examples.surfaces[i] >= 0 && size_t(examples.surfaces[i]) < all.config.surfaces.size());
        for (size_t f = 0; f < features; ++f)
          for (int64_t at = examples.starts[size_t(i) * features + f];
               at < examples.starts[size_t(i) * features + f + 1]; ++at)
            require(examples.ids[at] >= 0 && examples.ids[at] < all.config.features[f].rows);
        for (size_t n = 0; n < all.config.numbers.size(); ++n)
          require(std::isfinite(examples.numbers[size_t(i) * all.config.numbers.size() + n]));
        for (size_t t = 0; t < all.config.tasks.size(); ++t)
          require(all.examples.value(i, t) >= 0 && all.examples.value(i, t) <= 1);
      }
      if (all.content_feature >= 0)
        require(int64_t(all.contents.size()) == all.vocabularies[size_t(all.content_feature)].size());
    });
  return 0;
}
