// Input: a training file, read as examples and as pairs, with and without a chat template. Only puna::Error may come
// out, and every sequence has a mark a token.
#include <cstdlib>
#include <string_view>

#include "../train/byte_tokenizer.h"
#include "expect_error.h"
#include "puna/chat/chat_template.h"
#include "puna/train/data.h"
#include "target.h"

namespace {

void check(const puna::train::Sequence& s) {
  if (s.tokens.size() != s.counted.size() || s.tokens.size() < 2) abort();
}

}  // namespace

FUZZ_TARGET(training_data) {
  using namespace puna;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const auto chat = ChatTemplate::parse(
      "{{ tools|tojson if tools }}{{ documents|tojson if documents }}{{ mood }}{% for m in messages %}<{{ m.role }}>{{ "
      "m.content }}{% for c in m.tool_calls or [] %}"
      "{{ c.function.arguments|tojson }}{% endfor %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}");
  const puna::test::Bytes tokenizer;
  for (const bool has_template : {true, false}) {
    train::TextCodec codec;
    codec.tokenizer = &tokenizer;
    if (has_template) {
      codec.render_chat = [](std::string_view json, std::string_view date) { return chat->render(json, date); };
      codec.chat_reads = [](std::string_view name) { return chat->reads(name); };
    }
    train::DataReport report;
    puna::test::expect_error_only([&] {
      std::vector<train::Sequence> all;
      train::add_data(all, codec, bytes, "data", {.max_tokens = 64}, &report);
      for (const train::Sequence& s : all) check(s);
    });
    puna::test::expect_error_only([&] {
      std::vector<train::Preference> all;
      train::add_preferences(all, codec, bytes, "pairs", {.max_tokens = 64}, &report);
      for (const train::Preference& p : all) {
        check(p.chosen);
        check(p.rejected);
      }
    });
    report.sentences();
  }
  puna::test::expect_error_only([&] { train::text_of_data(bytes, "data"); });
  return 0;
}
