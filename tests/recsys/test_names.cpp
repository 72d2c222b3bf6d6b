// What ids are called: lists of names, a ranker's vocabularies, and numbers with a scale, in memory and in files.
#include <cmath>

#include "puna/recsys/ranker_trainer.h"
#include "recsys/some_ranker.h"
#include "support/files.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

Names names(std::vector<std::string> list) { return {list, "item"}; }
bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

std::string bytes_of(const std::string& path) { return read_text(path); }

}  // namespace

TEST_CASE("names are found by their bytes, whatever is in them, and come back from their bytes", "[recsys]") {
  const std::vector<std::string> list{"b", "a\nb", "10", "9", "\xc3\xa9", "a\tb", "a", "\"", std::string(256, 'x')};
  const Names n = names(list);
  REQUIRE(n.size() == int64_t(list.size()));
  const Names again = Names::of_bytes(n.bytes(), n.size(), "here");
  for (size_t i = 0; i < list.size(); ++i) {
    CHECK(n[int64_t(i)] == list[i]);
    CHECK(n.find(list[i]) == int64_t(i));
    CHECK(again.find(list[i]) == int64_t(i));
  }
  CHECK(n.find("c") == -1);
  CHECK(n.find("") == -1);
  CHECK(Names().find("a") == -1);
  CHECK(names({"toy story", "heat"}).did_you_mean("toy stroy") == ", did you mean 'toy story'?");
}

TEST_CASE("names that are empty, too long, twice there, no UTF-8 or with a NUL are refused by their number",
          "[recsys]") {
  CHECK(has(message_of([] { names({"a", ""}); }), "item 1 ('') is empty"));
  CHECK(has(message_of([] { names({std::string(257, 'a')}); }), "more than 256 bytes"));
  CHECK(has(message_of([] { names({"a", "b", "a"}); }), "items 0 and 2 are both called 'a'"));
  CHECK(has(message_of([] { names({"\xe9t\xe9"}); }), "is no UTF-8"));
  CHECK(has(message_of([] { names({std::string("a\0b", 3)}); }), "has a NUL"));
  for (const std::string& bytes : {std::string("a"), std::string("a\0\0", 3), std::string("a\0a\0", 4),
                                   std::string("\xff\0", 2), std::string("a\0b\0c\0", 6)}) {
    CAPTURE(bytes);
    CHECK(status_of([&] { Names::of_bytes(bytes, 2, "file"); }) == Status::bad_file);
  }
}

TEST_CASE("a ranker keeps the names of its ids through copy, save and load, and unknown ones are left out and counted",
          "[recsys]") {
  RankerConfig c = some_ranker(Interaction::cross);
  c.features[1].divide = 5;  // "genres": 0, 1, ...
  const auto ranker = Ranker::create(recsys_context(), c, 5);
  CHECK(has(message_of([&] { (void)ranker->id(0, "u1"); }), "feature 'user' has no names"));
  ranker->set_vocabulary(0, names({"u0", "u1", "u2"}));
  ranker->set_vocabulary(1, names({"4", "-1", "0"}));
  CHECK(has(message_of([&] { ranker->set_vocabulary(2, names({"a"})); }), "is hashed"));
  CHECK(has(message_of([&] {
              ranker->set_vocabulary(0, names({"1", "2", "3", "4", "5", "6", "7", "8"}));
            }),
            "8 names, expected up to 7"));
  const TempFolder folder;
  ranker->copy(DType::i8)->save(folder / "r.safetensors");
  for (const TableMemory memory : {TableMemory::own, TableMemory::mapped}) {
    const auto loaded = Ranker::load(recsys_context(), folder / "r.safetensors", memory);
    CHECK(loaded->id(0, "u2") == 2);
    CHECK(loaded->id(0, "nobody") == Ranker::kUnknown);
    CHECK(loaded->id(1, "23.9") == 0);
    CHECK(loaded->id(1, "-4") == 2);
    CHECK(loaded->id(1, "-5") == 1);
    CHECK(loaded->id(1, "100") == Ranker::kUnknown);
    CHECK(loaded->id(2, "phone") == id_of("phone"));
    for (const char* wrong : {"young", "nan", "inf", "1e300", "0x10", "5 ", ""}) {
      CAPTURE(wrong);
      CHECK(status_of([&] { (void)loaded->id(1, wrong); }) == Status::invalid_argument);
    }
    int64_t unknown = 0;
    const std::vector<std::string> asked{"u2", "who", "u0", "?"};
    CHECK(loaded->ids(0, asked, &unknown) == std::vector<int64_t>{2, 0});
    CHECK(unknown == 2);
  }
}

TEST_CASE("a ranker's file whose names are cut, too many, twice there or of a hashed feature is refused", "[recsys]") {
  const auto ranker = Ranker::create(recsys_context(), some_ranker(Interaction::fm), 5);
  ranker->set_vocabulary(0, names({"u0", "u1", "u2"}));
  const TempFolder folder;
  const std::string path = folder / "r.safetensors";
  ranker->save(path);
  const std::string bytes = bytes_of(path);
  const std::string kept("u0\0u1\0u2\0", 9);
  const auto message = [&](const std::string& from, const std::string& to) {
    std::string wrong = bytes;
    const size_t at = wrong.rfind(from);
    REQUIRE(at != std::string::npos);
    write_file(path, wrong.replace(at, from.size(), to));
    return message_of([&] { Ranker::load(recsys_context(), path); });
  };
  CHECK(message(kept, kept).empty());
  CHECK(has(message(kept, std::string("u0\0u0\0u2\0", 9)), "both called 'u0'"));
  CHECK(has(message(kept, std::string("u0\0u1\0u22", 9)), "names"));
  CHECK(has(message(kept, std::string("a\0\0\0\0\0\0\0\0", 9)), "expected up to 7"));
  CHECK(has(message(kept, std::string("u\xff\0u1\0u2\0", 9)), "is no UTF-8"));
  CHECK(has(message("vocabulary.0", "vocabulary.2"), "which is hashed"));
  CHECK(has(message("vocabulary.0", "vocabulary.9"), "explains"));
}

TEST_CASE("a ranker's checkpoint belongs to the names of its ids", "[recsys]") {
  const TempFolder folder;
  const auto trainer_of = [](const char* name) {
    const auto ranker = Ranker::create(recsys_context(), some_ranker(Interaction::fm), 5);
    if (*name) ranker->set_vocabulary(0, names({name}));
    return std::make_unique<RankerTrainer>(ranker, RankerTrainerOptions{});
  };
  trainer_of("anna")->save(folder / "state");
  trainer_of("anna")->resume(folder / "state");
  for (const char* other : {"bela", ""})
    CHECK(status_of([&] { trainer_of(other)->resume(folder / "state"); }) == Status::invalid_argument);
}

TEST_CASE("numbers with a mean and a scale score as those that were scaled before, and the file keeps them",
          "[recsys]") {
  const RankerConfig plain = some_ranker(Interaction::cross);
  RankerConfig scaled = plain;
  scaled.numbers[0] = {"age", 40, 8};
  scaled.numbers[1] = {"hour", -2, 0.5};
  const auto a = Ranker::create(recsys_context(), plain, 5), b = Ranker::create(recsys_context(), scaled, 5);
  const auto examples_of = [](const RankerConfig& c, bool raw) {
    ExampleSet set(c);
    const std::vector<int64_t> none;
    for (int i = -4; i < 5; ++i) {
      const float age = float(i), hour = float(2 * i);
      set.add(0, std::vector<std::span<const int64_t>>{none, none, none},
              std::vector<float>{raw ? age * 8 + 40 : age, raw ? hour / 2 - 2 : hour});
    }
    return set;
  };
  const ExampleSet before = examples_of(plain, false), raw = examples_of(scaled, true);
  const std::vector<float> expected = a->score(before.examples());
  CHECK(b->score(raw.examples()) == expected);
  const TempFolder folder;
  b->save(folder / "r.safetensors");
  CHECK(Ranker::load(recsys_context(), folder / "r.safetensors")->score(raw.examples()) == expected);
  CHECK(json_of(ranker_config(json_of(scaled))) == json_of(scaled));
  CHECK(json_of(plain).find("mean") == std::string::npos);  // as files of before have it
  ExampleSet far(scaled);
  scaled.numbers[0].scale = 1e-30;
  const std::vector<int64_t> none;
  far.add(0, std::vector<std::span<const int64_t>>{none, none, none}, std::vector<float>{1e30f, 0});
  CHECK(has(message_of([&] { Ranker::create(recsys_context(), scaled, 5)->score(far.examples()); }),
            "'age' is 1e+30, out of all proportion"));
}

TEST_CASE("a ranker's configuration: unknown fields name the nearest, scales and divisors have ranges", "[recsys]") {
  const auto message = [](const std::string& more) {
    return message_of([&] {
      ranker_config(R"({"surfaces": ["a"], "tasks": [{"name": "like"}], "features": [{"name": "u", "rows": 9)" + more);
    });
  };
  CHECK(message("}]}").empty());
  CHECK(has(message("}], \"number\": [\"x\"]}"), "ranker.number: there is no such field, did you mean 'numbers'?"));
  CHECK(has(message(", \"hash\": true}]}"), "ranker.features[0].hash: there is no such field, did you mean 'hashed'?"));
  CHECK(has(message("}], \"numbers\": [{\"name\": \"x\", \"means\": 1}]}"), "did you mean 'mean'?"));
  CHECK(has(message("}], \"numbers\": [{\"name\": \"x\", \"scale\": 0}]}"), "scale is 0"));
  CHECK(has(message("}], \"numbers\": [{\"name\": \"x\", \"mean\": 1e300}]}"), "mean is 1e+300"));
  CHECK(has(message("}], \"numbers\": [7]}"), "numbers[0]: expected a string"));
  CHECK(has(message(", \"divide\": -1}]}"), "divide is -1"));
  CHECK(has(message(", \"divide\": 5, \"hashed\": true}]}"), "is hashed"));
}
