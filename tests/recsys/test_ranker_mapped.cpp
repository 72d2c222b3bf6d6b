// A ranker whose table stays in its file: the same scores, nothing allocated for the table, never trained; files that
// lie are refused as ever.
#include "puna/base/error.h"
#include "puna/recsys/ranker_trainer.h"
#include "recsys/some_ranker.h"
#include "support/files.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

TEST_CASE("a mapped table scores as one in memory, of every type, and costs no memory of the context", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::cross);
  const ExampleSet examples = some_examples(c, 50, 1);
  RankerConfig large = c;
  large.features[0].rows = 100000;
  const TempFolder folder;
  for (const DType table : {DType::f32, DType::f16, DType::i8}) {
    const auto ranker = Ranker::create(recsys_context(), large, 3)->copy(table);
    ranker->save(folder / "ranker");
    ContextOptions options;
    options.memory_limit = ranker->table_bytes() / 2;
    const auto small = std::make_shared<const Context>(options, *select_kernels(""));
    const auto mapped = Ranker::load(small, folder / "ranker", TableMemory::mapped);
    CHECK(mapped->score(examples.examples()) == ranker->score(examples.examples()));
    CHECK(status_of([&] { Ranker::load(small, folder / "ranker"); }) == Status::out_of_memory);
    CHECK(status_of([&] { mapped->copy(table); }) == Status::out_of_memory);
    Ranker::create(recsys_context(), c, 4)
        ->save(folder / "ranker");  // replaces the file; the mapping is of the old one
    CHECK(mapped->score(examples.examples()) == ranker->score(examples.examples()));
  }
}

TEST_CASE("a mapped table is not trained, a copy of it is", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::fm);
  const TempFolder folder;
  Ranker::create(recsys_context(), c, 3)->save(folder / "ranker");
  const auto mapped = Ranker::load(recsys_context(), folder / "ranker", TableMemory::mapped);
  CHECK(status_of([&] { RankerTrainer(mapped, {}); }) == Status::invalid_argument);
  const ExampleSet examples = some_examples(c, 10, 1);
  RankerTrainer(mapped->copy(), {}).learn(examples.examples(), examples.outcomes());
  std::string bytes = read_text(folder / "ranker");
  const uint32_t infinity = 0x7F800000u;
  memcpy(bytes.data() + bytes.size() - 4, &infinity, 4);  // of whichever tensor comes last
  write_file(folder / "bad", bytes);
  CHECK(status_of([&] { Ranker::load(recsys_context(), folder / "bad", TableMemory::mapped); }) == Status::bad_file);
}
