// fuzz_tokenizer_model.cpp -- any bytes as a tokenizer.model or a tekken.json, which is the file that a folder has: a
// tokenizer or an Error, nothing else; and a tokenizer must then encode and give the text back.
#include <cstdlib>
#include <string>
#include <string_view>

#include "puna/base/error.h"
#include "puna/text/tokenizer.h"
#include "target.h"

FUZZ_TARGET(tokenizer_model) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  try {
    const bool tekken = file.starts_with("{");
    const puna::TokenizerPtr t =
        tekken ? puna::tokenizer_from_tekken(file) : puna::tokenizer_from_model_file(file, puna::Watch(), 1 << 20);
    puna::test::accepted = true;
    const std::string text(file.substr(0, 4096));
    for (const bool special : {false, true}) (void)t->decode(t->encode(text, special), special);
    if (tekken && t->decode(t->encode(text, false), false) != text) abort();  // every byte has a token
    if (!text.empty() && t->encode_chat({text, {{0, text.size()}}}) != t->encode(text, false)) abort();
    for (const int32_t id : t->specials().stop) (void)t->bytes(id);
  } catch (const puna::Error&) {}
  return 0;
}
