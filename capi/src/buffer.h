// buffer.h -- what is behind a puna_buffer: a text or ids.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "puna.h"
#include "puna/base/error.h"

struct puna_buffer {
  bool holds_ids = false;
  std::string text;
  std::vector<int32_t> ids;

  // Both leave it as it was when they fail.
  void store(std::string_view content) {
    text = content;
    holds_ids = false;
  }
  void store(const std::vector<int32_t>& content) {
    ids.reserve(content.size() + 1);  // data() is never NULL
    ids = content;
    holds_ids = true;
  }
};

namespace puna::capi {

inline puna_buffer& use(puna_buffer* buffer, const char* name) {
  PUNA_REQUIRE(buffer != nullptr, "%s is NULL", name);
  return *buffer;
}

}  // namespace puna::capi
