// fuzz_safetensors.cpp -- any bytes as a safetensors file: tensors that cover the data, or a puna::Error.
#include "puna/base/error.h"
#include "puna/io/safetensors.h"
#include "taken.h"
#include "touch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  try {
    puna::test::touch(puna::read_safetensors(puna::test::fuzz_context(), puna::open_memory_source(data, size, "fuzz")).tensors);
    puna::test::taken = true;
  } catch (const puna::Error&) {
  }
  return 0;
}
