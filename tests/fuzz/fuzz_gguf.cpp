// fuzz_gguf.cpp -- any bytes as a GGUF file, from memory and through a reader: a checkpoint or a puna::Error, nothing
// else.
#include <cstring>

#include "puna/base/error.h"
#include "puna/io/checkpoint.h"
#include "target.h"
#include "touch.h"

FUZZ_TARGET(gguf) {
  if (size == 0) return 0;
  struct Input {
    const uint8_t* data;
    size_t size;
  } input{data, size};
  const auto read_at = [](void* user, uint64_t offset, uint64_t bytes, void* dst) -> int32_t {
    const auto* in = static_cast<const Input*>(user);
    if (offset > in->size || bytes > in->size - offset) __builtin_trap();  // our readers stay inside the file
    memcpy(dst, in->data + offset, bytes);
    return 0;
  };
  const puna::SourcePtr memory = puna::open_memory_source(data, size, "fuzz");
  const puna::SourcePtr reader = puna::open_read_at_source({&input, size, read_at}, "fuzz");
  for (const puna::SourcePtr& source : {memory, reader}) {
    try {
      puna::test::touch(puna::load_checkpoint(puna::test::fuzz_context(), source).tensors);
      puna::test::accepted = true;
    } catch (const puna::Error&) {}
  }
  return 0;
}
