// buffer.cpp -- puna_buffer: outputs whose size is known only after the computation.
#include "buffer.h"

#include "guard.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

puna_status puna_buffer_create(puna_buffer** buffer) {
  return guard([&] {
    PUNA_REQUIRE(buffer != nullptr, "buffer is NULL");
    *buffer = new puna_buffer;
  });
}

const void* puna_buffer_data(const puna_buffer* buffer) {
  if (!buffer) return nullptr;
  return buffer->holds_ids ? static_cast<const void*>(buffer->ids.data()) : buffer->text.c_str();
}

size_t puna_buffer_size(const puna_buffer* buffer) {
  if (!buffer) return 0;
  return buffer->holds_ids ? buffer->ids.size() : buffer->text.size();
}

void puna_buffer_free(puna_buffer* buffer) { delete buffer; }
