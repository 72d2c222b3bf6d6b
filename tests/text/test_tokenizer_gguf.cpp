// test_tokenizer_gguf.cpp -- "tokenizer.ggml.*" on a vocabulary one can read: what the keys mean, and what is refused.
#include <utility>

#include "puna/base/error.h"
#include "puna/text/tokenizer.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;

namespace {

using Strings = std::vector<std::string>;
using Integers = std::vector<int64_t>;

Metadata small() {
  Metadata m;
  m.set("tokenizer.ggml.model", std::string("gpt2"));
  m.set("tokenizer.ggml.pre", std::string("llama-bpe"));
  m.set("tokenizer.ggml.tokens", Strings{"a", "b", "\xC4\xA0", "ab",
                                         "\xC4\xA0"
                                         "ab",
                                         "<|begin_of_text|>", "<|eot_id|>", "  ", "[PAD8]", "</s>", "c"});
  m.set("tokenizer.ggml.token_type", Integers{1, 1, 1, 1, 1, 3, 3, 4, 5, 1, 1});
  m.set("tokenizer.ggml.merges", Strings{"a b", "\xC4\xA0 ab"});
  m.set("tokenizer.ggml.bos_token_id", int64_t(5));
  m.set("tokenizer.ggml.eos_token_id", int64_t(6));
  return m;
}
Metadata with(const char* key, MetadataValue value) {
  Metadata m = small();
  m.replace(std::string("tokenizer.ggml.") + key, std::move(value));
  return m;
}
std::string error_of(const Metadata& m) {
  try {
    tokenizer_from_gguf(m);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}
using Ids = std::vector<int32_t>;

}  // namespace

TEST_CASE("A byte-level vocabulary from GGUF keys", "[text]") {
  const TokenizerPtr t = tokenizer_from_gguf(small());
  REQUIRE(t);
  CHECK(t->size() == 11);
  CHECK(t->encode("ab ab", false) == Ids{3, 4});
  CHECK(t->encode("ab  ab", false) == Ids{3, 7, 3});  // two spaces are a user-defined token: always found
  CHECK(t->encode("a<|eot_id|>b", true) == Ids{0, 6, 1});
  CHECK(t->encode("</s>", true).empty());  // normal, "</s>" is text, of bytes this vocabulary does not have
  CHECK(t->bytes(4) == " ab");
  CHECK(t->bytes(6) == "<|eot_id|>");
  CHECK(t->bytes(7) == "  ");
  CHECK(t->kind(7) == TokenKind::user_defined);
  CHECK(t->kind(8) == TokenKind::unused);
  CHECK(t->decode({5, 3, 4, 6}, false) == "ab ab");
  CHECK(t->specials().bos == 5);
  CHECK(t->specials().eos == 6);
  CHECK(t->specials().stop == Ids{6});
  CHECK(t->specials().add_bos);  // Llama 3's default
  CHECK_FALSE(tokenizer_from_gguf(with("add_bos_token", false))->specials().add_bos);
  CHECK_FALSE(tokenizer_from_gguf(with("pre", std::string("gpt-2")))->specials().add_bos);
}

TEST_CASE("Every id that ends an answer is a stop, by key and by name", "[text]") {
  Metadata m = with("eot_token_id", int64_t(10));
  m.set("tokenizer.ggml.eom_token_id", int64_t(8));
  CHECK(tokenizer_from_gguf(m)->specials().stop == Ids{6, 10, 8});
  // A converter that did not mark the end of a turn as special does not make it text.
  const TokenizerPtr t = tokenizer_from_gguf(with("token_type", Integers{1, 1, 1, 1, 1, 3, 1, 4, 5, 1, 1}));
  CHECK(t->kind(6) == TokenKind::control);
  CHECK(t->encode("<|eot_id|>", true) == Ids{6});
  CHECK(tokenizer_from_gguf(with("token_type", Integers{1, 1, 1, 1, 1, 3, 3, 4, 5, 3, 1}))->specials().stop ==
        Ids{6, 9});
}

TEST_CASE("A special id that no token has is as good as none, and noted", "[text]") {
  using Catch::Contains;
  for (const char* key : {"bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id"})
    for (const MetadataValue& id :
         {MetadataValue(int64_t(11)), MetadataValue(int64_t(4294967295)), MetadataValue(int64_t(-1)),
          MetadataValue(INT64_MIN), MetadataValue(INT64_MAX), MetadataValue(uint64_t(1) << 63)}) {
      const TokenizerPtr t = tokenizer_from_gguf(with(key, id));
      CAPTURE(key);
      REQUIRE(t->notes().size() == 1);
      CHECK_THAT(t->notes()[0], Contains(std::string("tokenizer.ggml.") + key) && Contains("0 to 10"));
      CHECK(t->specials().bos == (std::string(key) == "bos_token_id" ? -1 : 5));
      CHECK(t->specials().eos == (std::string(key) == "eos_token_id" ? -1 : 6));
      CHECK(t->specials().stop == Ids{6});  // by key, or by name
      CHECK(t->specials().add_bos == (t->specials().bos >= 0));
      CHECK(t->encode("ab ab", false) == Ids{3, 4});
    }
  CHECK(tokenizer_from_gguf(small())->notes().empty());
  Metadata unknown = with("model", std::string("llama"));
  unknown.set("tokenizer.ggml.scores", std::vector<double>(11, 0.0));
  unknown.set("tokenizer.ggml.unknown_token_id", int64_t(4294967295));
  CHECK_THAT(tokenizer_from_gguf(unknown)->notes().at(0), Contains("tokenizer.ggml.unknown_token_id"));
}

TEST_CASE("Rows of the embedding behind the tokens are ids without text", "[text]") {
  const TokenizerPtr t = tokenizer_from_gguf(with("eot_token_id", int64_t(13)), Watch(), /*rows=*/14);
  CHECK(t->size() == 11);
  CHECK(t->notes().empty());
  CHECK(t->specials().stop == Ids{6, 13});  // a model may end its answers there
  CHECK(t->bytes(11).empty());
  CHECK(t->kind(13) == TokenKind::unused);
  CHECK_FALSE(t->is_special(13));
  CHECK(t->decode({3, 11, 12, 4, 13}, true) == "ab ab");
  CHECK(t->decode({13, 12}, false).empty());
  CHECK_THROWS_WITH(t->bytes(14), Catch::Contains("token id 14, expected 0 to 13"));
  CHECK_THROWS_AS(t->decode({3, 14}, true), Error);
  CHECK_THROWS_AS(t->kind(-1), Error);
  CHECK_THROWS_AS(tokenizer_from_gguf(small())->bytes(11), Error);
}

TEST_CASE("A GGUF vocabulary without what text needs is unsupported: ids need none of it", "[text]") {
  const auto status = [](const Metadata& m) { return test::status_of([&] { tokenizer_from_gguf(m); }); };
  Metadata spm = with("model", std::string("llama"));
  CHECK(status(spm) == Status::unsupported);  // no scores
  spm.set("tokenizer.ggml.scores", std::vector<double>(11, 0.0));
  CHECK(status(spm) == Status::ok);
  spm.replace("tokenizer.ggml.token_type", std::monostate());
  CHECK(status(spm) == Status::unsupported);
  for (const char* key : {"merges", "pre", "tokens"}) CHECK(status(with(key, std::monostate())) == Status::unsupported);
  CHECK(status(with("pre", std::string("none-such"))) == Status::unsupported);
  CHECK(status(with("token_type", Integers{1, 1})) ==
        Status::bad_file);  // what is there and contradicts itself is wrong
}

TEST_CASE("A file without a tokenizer has none", "[text]") {
  CHECK(tokenizer_from_gguf(Metadata()) == nullptr);
  CHECK(tokenizer_from_gguf(with("model", std::string("none"))) == nullptr);
}

TEST_CASE("Malformed or foreign GGUF tokenizers are refused by the name of what is wrong", "[text]") {
  using Catch::Contains;
  CHECK_THAT(error_of(with("model", std::string("t5"))), Contains("tokenizer.ggml.model") && Contains("'t5'"));
  CHECK_THAT(error_of(with("model", int64_t(1))), Contains("tokenizer.ggml.model"));
  CHECK_THAT(error_of(with("pre", std::string("default"))), Contains("tokenizer.ggml.pre") && Contains("'default'"));
  CHECK_THAT(error_of(with("pre", std::monostate())), Contains("tokenizer.ggml.pre is missing"));
  CHECK_THAT(error_of(with("tokens", std::monostate())), Contains("tokenizer.ggml.tokens is missing"));
  CHECK_THAT(error_of(with("tokens", Strings{})), Contains("tokenizer.ggml.tokens has 0 entries"));
  CHECK_THAT(error_of(with("tokens", Integers{1, 2})), Contains("tokenizer.ggml.tokens"));
  CHECK_THAT(error_of(with("token_type", Integers{1, 1})),
             Contains("tokenizer.ggml.token_type has 2 entries, expected 11"));
  CHECK_THAT(error_of(with("token_type", Integers{1, 1, 1, 7, 1, 3, 3, 4, 5, 1, 1})), Contains("token_type[3] is 7"));
  CHECK_THAT(error_of(with("token_type", Integers{1, 1, 1, -1, 1, 3, 3, 4, 5, 1, 1})), Contains("token_type[3] is -1"));
  CHECK_THAT(error_of(with("merges", std::monostate())), Contains("tokenizer.ggml.merges is missing"));
  CHECK_THAT(error_of(with("merges", Strings{"a b", "ab"})), Contains("tokenizer.ggml.merges[1]"));
  CHECK_THAT(error_of(with("merges", Strings{""})), Contains("tokenizer.ggml.merges[0]"));
  CHECK_THAT(error_of(with("merges", Strings{" "})), Contains("tokenizer.ggml.merges[0]"));
  CHECK_THAT(error_of(with("merges", Strings{"a x"})), Contains("tokenizer.ggml.merges[0]") && Contains("'x'"));
  CHECK_THAT(error_of(with("merges", Strings{"b a"})), Contains("'ba'"));
  CHECK_THAT(error_of(with("merges", Strings{"a b", "a b"})), Contains("merged twice"));
  CHECK_THAT(error_of(with("eom_token_id", std::string("6"))), Contains("tokenizer.ggml.eom_token_id"));
  CHECK_THAT(error_of(with("bos_token_id", 0.5)), Contains("tokenizer.ggml.bos_token_id"));
  CHECK_THAT(error_of(with("add_bos_token", int64_t(1))), Contains("tokenizer.ggml.add_bos_token"));
  CHECK_THAT(error_of(with("tokens", Strings{"a", "a", "\xC4\xA0", "ab", "4", "5", "6", "7", "8", "9", "10"})),
             Contains("ids 0 and 1 are both 'a'"));

  Metadata spm = with("model", std::string("llama"));
  CHECK_THAT(error_of(spm), Contains("tokenizer.ggml.scores is missing"));
  spm.replace("tokenizer.ggml.scores", std::vector<double>(10, 0.0));
  CHECK_THAT(error_of(spm), Contains("tokenizer.ggml.scores has 10 entries, expected 11"));
  std::vector<double> scores(11, 0.0);
  scores[4] = std::numeric_limits<double>::quiet_NaN();
  spm.replace("tokenizer.ggml.scores", scores);
  CHECK_THAT(error_of(spm), Contains("tokenizer.ggml.scores[4]"));
  spm.replace("tokenizer.ggml.scores", Integers(11, 0));
  CHECK(error_of(spm) == "no error");  // whole numbers are scores, too
  spm.replace("tokenizer.ggml.token_type", Integers{1, 1, 1, 1, 1, 3, 3, 6, 5, 1, 1});
  CHECK_THAT(error_of(spm), Contains("tokenizer.ggml.tokens[7]") && Contains("<0x0A>"));
}

TEST_CASE("A tokenizer.model that is not Llama 3's or 4's is refused by its line", "[text]") {
  const auto error = [](const std::string& file) -> std::string {
    try {
      tokenizer_from_tiktoken(file);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  using Catch::Contains;
  CHECK_THAT(error(""), Contains("0 ranks"));
  CHECK_THAT(error("\n\nI=== 0\n"), Contains("line 3"));  // empty lines are none
  CHECK_THAT(error("IQ== 0\nIg== 1\n"), Contains("2 ranks, expected 128000 (Llama 3) or 200000 (Llama 4)"));
  CHECK_THAT(error("IQ== 0\nIg== 2\n"), Contains("line 2") && Contains("'2', expected 1"));
  CHECK_THAT(error("IQ== 00\n"), Contains("line 1"));
  CHECK_THAT(error("IQ= 0\n"), Contains("line 1"));
  CHECK_THAT(error("I=== 0\n"), Contains("line 1"));
  CHECK_THAT(error("IQ!= 0\n"), Contains("line 1"));
  CHECK_THAT(error("IR== 0\n"), Contains("line 1"));  // bits that say nothing
  CHECK_THAT(error("IQ==\n"), Contains("line 1"));
  CHECK_THAT(error(" 0\n"), Contains("line 1"));
  CHECK_THAT(error("IQ== 0\nIQ== 99999999999999999999\n"), Contains("line 2"));
  std::string twice;
  for (int i = 0; i < 128000; ++i) twice += "IQ== " + std::to_string(i) + "\n";
  CHECK_THAT(error(twice), Contains("ids 0 and 1 are both '!'"));
}

TEST_CASE("A text that has more tokens than wanted is known as such, exactly, and long words are not looked into",
          "[text]") {
  const TokenizerPtr t = tokenizer_from_gguf(small());
  for (const std::string text : {"ab ab", "ab  ab", "a<|eot_id|>b", "</s>", "abcabcabc  c", "", "xyz", "ccccc"})
    for (const bool special : {false, true}) {
      const Ids all = t->encode(text, special);
      for (size_t most = 0; most <= all.size() + 2; ++most) {
        CAPTURE(text, special, most);
        const auto got = t->encode_within({text, {}}, special, most);
        CHECK(got.has_value() == (all.size() <= most));
        if (got) CHECK(*got == all);
      }
    }
  const RenderedChat chat{"a<|eot_id|>b", {{1, 11}}};
  CHECK(t->encode_within(chat, true, 99) == t->encode_chat(chat));
  // No byte of it has a token: none is too many.
  CHECK(t->encode_within({std::string(100'000, 'x'), {}}, false, 0)->empty());
  // One word, of which merging would ask the watch at every step: it is refused before that.
  int64_t asked = 0;
  const auto count = [&] {
    ++asked;
    return true;
  };
  const std::string word(1'000'000, 'c');
  CHECK_FALSE(t->encode_within({word, {}}, false, 1000, Watch(count)).has_value());
  const int64_t short_way = std::exchange(asked, 0);
  CHECK(t->encode_within({word, {}}, false, 1'000'000, Watch(count))->size() == 1'000'000);
  CHECK(short_way < asked);
}
