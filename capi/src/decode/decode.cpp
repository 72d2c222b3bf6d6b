// decode.cpp -- puna_decode.h: check, translate, decode.
#include "puna_decode.h"

#include <cstring>
#include <new>

#include "puna/image/decode.h"
#include "translate.h"

using namespace puna;

namespace {

thread_local char last_error[512] = "";

puna_status remember(Status status, const char* message) noexcept {
  strncpy(last_error, message, sizeof last_error - 1);
  return puna_status(status);
}

template <class Body>
puna_status guarded(Body&& body) noexcept {
  try {
    body();
    return PUNA_OK;
  } catch (const Error& e) {
    return remember(e.status(), e.what());
  } catch (const std::bad_alloc&) {
    return remember(Status::out_of_memory, "out of memory");
  } catch (...) {
    return remember(Status::internal, "an unexpected exception");
  }
}

std::span<const std::byte> file_of(const void* data, size_t bytes) {
  PUNA_REQUIRE(data != nullptr, "data is NULL");
  return {static_cast<const std::byte*>(data), bytes};
}

}  // namespace

puna_status puna_decode_get_info(const void* data, size_t bytes, puna_picture_info* info) {
  return guarded([&] {
    const PictureInfo p = picture_info(file_of(data, bytes));
    puna_picture_info i{};
    i.orientation = p.orientation;
    i.width = p.width;
    i.height = p.height;
    i.format = p.format;
    capi::write_info(i, info, "puna_picture_info");
  });
}

puna_status puna_decode_rgb(const void* data, size_t bytes, uint8_t* rgb, size_t capacity) {
  return guarded([&] {
    const auto file = file_of(data, bytes);
    const PictureInfo p = picture_info(file);
    PUNA_REQUIRE(rgb != nullptr, "rgb is NULL");
    const size_t needed = size_t(p.width * p.height * 3);
    PUNA_REQUIRE(capacity >= needed, "the buffer holds %zu bytes, %zu are needed", capacity, needed);
    decode_picture(rgb, file);
  });
}

const char* puna_decode_last_error(void) { return last_error; }
