// fuzz_tokenizer_json.cpp -- any bytes as tokenizer.json, tokenizer_config.json and generation_config.json (split at
// NUL bytes): a tokenizer or an Error, nothing else; and a tokenizer must then encode and decode, also ids behind its
// tokens. A chat that is content from beginning to end has the ids of its text.
#include <cstdlib>
#include <string_view>

#include "puna/base/error.h"
#include "puna/text/tokenizer.h"
#include "target.h"

FUZZ_TARGET(tokenizer_json) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::string_view part[3];
  for (auto& p : part) {
    p = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(p.size() < rest.size() ? p.size() + 1 : rest.size());
  }
  try {
    const puna::TokenizerPtr t = puna::tokenizer_from_json(part[0], part[1], part[2], puna::Watch(), /*rows=*/1 << 20);
    puna::test::accepted = true;
    for (const bool special : {false, true}) {
      const auto ids = t->encode(part[0].substr(0, 4096), special);
      (void)t->decode(ids, special);
    }
    const std::string text(part[0].substr(0, 4096));
    if (!text.empty() && t->encode_chat({text, {{0, text.size()}}}) != t->encode(text, false)) abort();
    if (text.size() > 8) (void)t->encode_chat({text, {{1, 3}, {3, text.size() / 2}, {text.size() - 2, text.size()}}});
    for (const int32_t id : t->specials().stop) (void)t->bytes(id);
  } catch (const puna::Error&) {}
  return 0;
}
