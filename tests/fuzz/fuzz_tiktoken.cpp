// fuzz_tiktoken.cpp -- any bytes as a tokenizer.model: an Error, since no short file has all the ranks, and nothing
// else.
#include <string_view>

#include "puna/base/error.h"
#include "puna/text/tokenizer.h"
#include "target.h"

FUZZ_TARGET(tiktoken) {
  try {
    (void)puna::tokenizer_from_tiktoken({reinterpret_cast<const char*>(data), size});
  } catch (const puna::Error&) {}
  return 0;
}
