// fuzz_safetensors.cpp -- any bytes as a safetensors file: tensors that cover the data, or a puna::Error.
#include "puna/base/error.h"
#include "puna/io/safetensors.h"
#include "target.h"
#include "touch.h"

FUZZ_TARGET(safetensors) {
  if (size == 0) return 0;
  try {
    puna::test::touch(
        puna::read_safetensors(puna::test::fuzz_context(), puna::open_memory_source(data, size, "fuzz")).tensors);
    puna::test::accepted = true;
  } catch (const puna::Error&) {}
  return 0;
}
