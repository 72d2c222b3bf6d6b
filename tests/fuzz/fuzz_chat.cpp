// fuzz_chat.cpp -- a chat template up to the first zero byte, and behind it the variables (JSON) as a program would
// pass them on: an Error, or a text whose content spans are in order, and ids in which no special token comes from what
// the messages say.
#include <cstdlib>
#include <string>
#include <string_view>

#include "byte_tokenizer.h"
#include "expect_error.h"
#include "puna/base/error.h"
#include "puna/chat/chat_template.h"
#include "target.h"

using namespace puna::test;

namespace {

// The text outside of the spans: what the template wrote.
std::string written_by_template(const puna::RenderedChat& chat) {
  std::string out;
  size_t at = 0;
  for (const puna::TextSpan& s : chat.content) {
    require(s.begin >= at && s.begin < s.end && s.end <= chat.text.size());
    out.append(chat.text, at, s.begin - at).append(1, '\n');
    at = s.end;
  }
  return out.append(chat.text, at, std::string::npos);
}

int64_t specials_in(const puna::Tokenizer& t, const std::vector<int32_t>& ids) {
  int64_t count = 0;
  for (const int32_t id : ids) count += t.is_special(id);
  return count;
}

}  // namespace

FUZZ_TARGET(chat) {
  static const puna::TokenizerPtr tokenizer = puna::test::byte_tokenizer();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view source = input.substr(0, input.find('\0'));
  const std::string_view variables = source.size() < size ? input.substr(source.size() + 1) : R"({"messages": []})";
  puna::ChatTemplate::Limits limits;
  limits.steps = 1000000;
  limits.output_bytes = 1 << 20;
  try {
    const puna::RenderedChat chat =
        puna::ChatTemplate::parse(source, limits)
            ->render(variables, "2025-03-09", puna::Watch(), {{"bos_token", "<|bos|>"}, {"eos_token", "<|eot|>"}});
    puna::test::accepted = true;
    const std::string own = written_by_template(chat);
    const std::vector<int32_t> ids = tokenizer->encode_chat(chat);
    require(tokenizer->decode(ids, true) == chat.text);
    require(specials_in(*tokenizer, ids) <= specials_in(*tokenizer, tokenizer->encode(own, true)));
    if (chat.content.empty()) require(ids == tokenizer->encode(chat.text, true));
  } catch (const puna::Error&) {}
  return 0;
}
