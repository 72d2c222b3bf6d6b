// fuzz_model_folder.cpp -- any bytes as the small files beside a Hugging Face model's weights, with a zero byte between
// one and the next: tokenizer.json, tokenizer_config.json, special_tokens_map.json, generation_config.json,
// chat_template.json, chat_template.jinja. An Error, or a tokenizer and templates that are used.
#include "expect_error.h"
#include "runtime/opening/folder_texts.h"
#include "scratch_folder.h"
#include "target.h"

namespace {

using namespace puna;

constexpr const char* kFiles[] = {"tokenizer.json",         "tokenizer_config.json", "special_tokens_map.json",
                                  "generation_config.json", "chat_template.json",    "chat_template.jinja"};

// Whether there is one that can be used.
bool render_all(const ChatTemplates& templates, const ChatTemplate::Texts& tokens) {
  bool any = false;
  for (const auto& entry : templates.entries()) {
    test::require(!entry.program == !entry.error.empty());
    if (!entry.program) continue;
    any = true;
    const char* messages = R"({"messages": [{"role": "user", "content": "hi"}], "add_generation_prompt": true})";
    test::expect_error_only(
        [&] { templates.choose(entry.name, false).render(messages, "2026-01-31", Watch(), tokens); });
  }
  test::expect_error_only([&] { templates.choose("", true); });
  (void)templates.without_tools();
  return any;
}

}  // namespace

FUZZ_TARGET(model_folder) {
  static const test::ScratchFolder folder;
  std::string_view parts[std::size(kFiles)];
  test::split_at_zeros(test::text_of(data, size), parts);
  for (size_t i = 0; i < std::size(kFiles); ++i) folder.write(kFiles[i], parts[i]);
  bool encodes = false, renders = false;
  test::expect_error_only([&] {
    const TokenizerPtr tokenizer = tokenizer_of_folder(folder.path());
    if (!tokenizer) return;
    encodes = true;
    for (const int32_t id : tokenizer->encode("Hello <|eot|> a b", true))
      test::require(id >= 0 && id < tokenizer->size());
    for (const int32_t id : tokenizer->specials().stop) (void)tokenizer->bytes(id);
  });
  ChatTemplate::Texts tokens;
  test::expect_error_only([&] { tokens = template_tokens_of_folder(folder.path()); });
  test::expect_error_only([&] { renders = render_all(chat_templates_of_folder(folder.path()), tokens); });
  test::accepted = encodes && renders;
  return 0;
}
