// fuzz_tiktoken.cpp -- any bytes as a tokenizer.model: an Error, since no short file has all the ranks, and nothing else.
#include <string_view>

#include "puna/base/error.h"
#include "puna/text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    (void)puna::tokenizer_from_tiktoken({reinterpret_cast<const char*>(data), size});
  } catch (const puna::Error&) {
  }
  return 0;
}
