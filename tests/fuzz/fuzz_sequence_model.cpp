// fuzz_sequence_model.cpp -- any bytes as the file of a sequence recommender: an Error, or a model that answers and is
// written as it was read.
#include "expect_error.h"
#include "recommender_runs.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(sequence_model) {
  using namespace puna;
  static const test::ScratchFolder folder;
  test::expect_error_only([&] {
    const auto model =
        recsys::SequenceModel::load(test::tiny_context(), folder.write("model", test::text_of(data, size)));
    const recsys::Event events[] = {{1, 5}, {int32_t(model->config().items), 7}};
    const recsys::History history{events, 9};
    test::require(model->encode({&history, 1}).size() == size_t(model->config().dim));
    test::require(model->unit_items().size() == size_t((model->config().items + 1) * model->config().dim));
    const recsys::Names& names = model->item_names();
    for (int64_t i = 0; i < names.size(); ++i) test::require(names.find(names[i]) == i);
    model->save(folder / "again");
    const auto again = recsys::SequenceModel::load(test::tiny_context(), folder / "again");
    again->save(folder / "once_more");
    test::require(folder.read("again") == folder.read("once_more"));
  });
  return 0;
}
