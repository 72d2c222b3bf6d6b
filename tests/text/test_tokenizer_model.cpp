// test_tokenizer_model.cpp -- SentencePiece's tokenizer.model and Mistral's tekken.json: what is read of them, and that
// whatever is wrong with one is an error that says where. The real ones are in test_tokenizer_rivals.cpp.
#include <limits>

#include "puna/base/error.h"
#include "puna/text/tokenizer.h"
#include "support/catch.h"
#include "text/model_files.h"

using namespace puna;
using namespace puna::test;
using Catch::Contains;

namespace {

template <class Read>
std::string error_of(Read read) {
  try {
    (void)read();
  } catch (const Error& e) {
    CHECK((e.status() == Status::bad_file || e.status() == Status::unsupported));
    return e.what();
  }
  return "no error";
}
std::string spm_error(const std::string& file) {
  return error_of([&] { return tokenizer_from_sentencepiece(file); });
}
std::string tekken_error(const std::string& file) {
  return error_of([&] { return tokenizer_from_tekken(file); });
}
std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  REQUIRE(at != text.npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a SentencePiece model merges by score, marks spaces and falls back to bytes", "[text]") {
  const TokenizerPtr t = tokenizer_from_model_file(sentencepiece_model());
  CHECK(t->size() == 264);
  CHECK(t->specials().bos == 1);
  CHECK(t->specials().eos == 2);
  CHECK(t->specials().add_bos);
  CHECK(t->specials().stop == std::vector<int32_t>{2});
  const int32_t mark = 259, a = 260, b = 261, mark_a = 262, ab = 263;
  CHECK(t->encode("a", false) == std::vector<int32_t>{mark_a});
  CHECK(t->encode("ab", false) == std::vector<int32_t>{mark_a, b});
  CHECK(t->encode("bab", false) == std::vector<int32_t>{mark, b, ab});
  CHECK(t->encode("a  a", false) == std::vector<int32_t>{mark_a, mark, mark_a});
  CHECK(t->encode("\xC3\xA9", false) == std::vector<int32_t>{mark, 3 + 0xC3, 3 + 0xA9});
  CHECK(t->encode("b</s>a", true) == std::vector<int32_t>{mark, b, 2, mark_a});
  CHECK(t->encode("b</s>", false).size() == 6);
  CHECK(t->decode({mark_a, 3 + 0xC3, 3 + 0xA9}, false) == "a\xC3\xA9");
  CHECK(t->find("</s>") == 2);
  CHECK(t->kind(3) == TokenKind::byte);
  // Without the space in front, and with spaces made one.
  const TokenizerPtr plain = tokenizer_from_sentencepiece(
      sentencepiece_model(field(3, uint64_t(2)) + field(41, ~uint64_t(0)), field(3, uint64_t(0))));
  CHECK(plain->encode("a  a ", false) == std::vector<int32_t>{a, mark_a});
  CHECK(plain->specials().bos == -1);
  CHECK_FALSE(plain->specials().add_bos);
}

TEST_CASE("what is wrong with a SentencePiece model is an error that says it", "[text]") {
  CHECK_THAT(spm_error(""), Contains("no pieces"));
  CHECK_THAT(spm_error(sentencepiece_model(field(3, uint64_t(1)))), Contains("a Unigram model"));
  CHECK_THAT(spm_error(sentencepiece_model("")), Contains("a Unigram model"));  // the protobuf's default
  CHECK_THAT(spm_error(sentencepiece_model(field(3, uint64_t(2)), field(2, "\1\2\3"))), Contains("charsmap"));
  CHECK_THAT(spm_error(sentencepiece_model(field(3, uint64_t(2)), field(5, uint64_t(0)))),
             Contains("escape_whitespaces"));
  const std::string model = sentencepiece_model();
  CHECK_THAT(spm_error(model + piece("c", std::numeric_limits<float>::infinity())), Contains("score of piece 264"));
  CHECK_THAT(spm_error(model + piece("c", std::numeric_limits<float>::quiet_NaN())), Contains("score of piece 264"));
  CHECK_THAT(spm_error(model + piece("", 0)), Contains("piece 264 has no text"));
  CHECK_THAT(spm_error(model + piece("c", 0, 7)), Contains("piece 264 is of type 7, expected 1 to 6"));
  CHECK_THAT(spm_error(model + piece("<0x0g>", 0, 6)), Contains("<0x0A>"));
  CHECK_THAT(spm_error(model + piece("a", 0)), Contains("tokenizer.model"));  // twice
  CHECK_THAT(spm_error(model + std::string("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 10)), Contains("longer than"));
  CHECK_THAT(spm_error(model + std::string(11, '\xFF')), Contains("ten bytes"));
  CHECK_THAT(spm_error(model + "\x0B"), Contains("no kind"));
  CHECK_THAT(spm_error(model + std::string(1, '\0')), Contains("out of range"));
  CHECK_THAT(spm_error(model + field(1, uint64_t(1))), Contains("no text"));
  // Ids that no piece has are notes.
  const TokenizerPtr far =
      tokenizer_from_sentencepiece(sentencepiece_model(field(3, uint64_t(2)) + field(42, uint64_t(1) << 40)));
  CHECK(far->specials().eos == -1);
  REQUIRE(far->notes().size() == 1);
  CHECK_THAT(far->notes()[0], Contains("eos_id"));
}

TEST_CASE("a SentencePiece model that is cut anywhere is an error or a smaller model", "[text]") {
  const std::string model = sentencepiece_model();
  size_t errors = 0;
  for (size_t n = 0; n < model.size(); n += n < 100 || n + 200 > model.size() ? 1 : 61)
    errors += spm_error(model.substr(0, n)) != "no error";
  CHECK(errors > 50);
}

TEST_CASE("a tekken.json has its special tokens in front of its ranks", "[text]") {
  const TokenizerPtr t = tokenizer_from_tekken(tekken_json());
  CHECK(t->size() == 278);
  CHECK(t->specials().bos == 1);
  CHECK(t->specials().eos == 2);
  CHECK(t->specials().stop == std::vector<int32_t>{2});
  CHECK(t->find("[TOOL_CALLS]") == 9);
  CHECK(t->encode("ab ab", false) == std::vector<int32_t>{20 + 256, 20 + 257});
  CHECK(t->encode("[TOOL_CALLS]ab", true) == std::vector<int32_t>{9, 20 + 256});
  CHECK(t->encode("\xFF", false) == std::vector<int32_t>{20 + 255});
  CHECK(t->encode("unused", false).size() == 6);  // a rank that the model has no row for
  CHECK(t->decode(t->encode("ab\xFF", false), false) == "ab\xFF");
  const TokenizerPtr more = tokenizer_from_tekken(tekken_json(
      R"(,"special_tokens":[{"rank":2,"token_str":"<s>","is_control":true},{"rank":0,"token_str":"</s>"}])", 4, 262));
  CHECK(more->specials().bos == 2);
  CHECK(more->find("<SPECIAL_3>") == 3);
  CHECK(more->find("[TOOL_CALLS]") == -1);
}

TEST_CASE("what is wrong with a tekken.json is an error that says where", "[text]") {
  const std::string file = tekken_json();
  CHECK_THAT(tekken_error(""), Contains("tekken.json"));
  CHECK_THAT(tekken_error("[]"), Contains("expected an object"));
  CHECK_THAT(tekken_error("{}"), Contains("config"));
  CHECK_THAT(tekken_error(file.substr(0, file.size() / 2)), Contains("tekken.json"));
  CHECK_THAT(tekken_error(replaced(file, R"(\\p{N}|)", R"(\\p{Nd}|)")), Contains("config.pattern"));
  CHECK_THAT(tekken_error(replaced(file, R"("rank":7,)", R"("rank":8,)")), Contains("vocab[7].rank"));
  CHECK_THAT(tekken_error(replaced(file, R"("rank":7,)", R"("rank":7e300,)")), Contains("vocab[7].rank"));
  CHECK_THAT(tekken_error(replaced(file, "\"" + base64("\x07") + "\"", "\"?\"")), Contains("vocab[7].token_bytes"));
  CHECK_THAT(tekken_error(replaced(file, tekken_entry(7, "\x07"), "7")), Contains("vocab[7]"));
  CHECK_THAT(tekken_error(replaced(file, tekken_entry(7, "\x07"), tekken_entry(7, "\x08"))), Contains("tekken.json"));
  CHECK_THAT(tekken_error(replaced(file, tekken_entry(7, "\x07"), tekken_entry(7, "xyz"))), Contains("byte 0x07"));
  CHECK_THAT(tekken_error(tekken_json("", 20, 280)), Contains("at most 279"));
  CHECK_THAT(tekken_error(tekken_json("", 20, 275)), Contains("default_vocab_size"));
  CHECK_THAT(tekken_error(tekken_json("", -1, 278)), Contains("default_num_special_tokens"));
  CHECK_THAT(tekken_error(tekken_json("", 1 << 30, 278)), Contains("default_num_special_tokens"));
  CHECK_THAT(tekken_error(tekken_json(R"(,"special_tokens":[{"rank":20,"token_str":"a"}])")),
             Contains("special_tokens[0].rank"));
  CHECK_THAT(tekken_error(tekken_json(R"(,"special_tokens":[{"rank":1,"token_str":"a"},{"rank":1,"token_str":"b"}])")),
             Contains("special_tokens[1].rank"));
  CHECK_THAT(tekken_error(tekken_json(R"(,"special_tokens":[{"rank":1,"token_str":"a"},{"rank":2,"token_str":"a"}])")),
             Contains("'a' has two ids"));
  CHECK_THAT(tekken_error(tekken_json(R"(,"special_tokens":[{"rank":1,"token_str":""}])")),
             Contains("special_tokens[0].token_str"));
  CHECK_THAT(tekken_error(replaced(file, R"("vocab":[)", R"("vocab":7,"other":[)")), Contains("vocab"));
}
