// gzip.h -- gzip files in memory (RFC 1952), where the command is built with zlib (PUNA_HAVE_ZLIB).
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace puna::cli {

bool is_gzip(std::string_view bytes);
// What all members hold, one behind the other. Error{bad_file} naming the path when they are damaged, something follows
// them, or that is more than `most` bytes.
std::string unpack_gzip(std::string_view packed, const std::string& path, size_t most);

}  // namespace puna::cli
