// sha256.h -- SHA-256 (FIPS 180-4): where a hash must not be undone or forged. For equality alone hash.h is quicker.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace puna {

using Sha256 = std::array<uint8_t, 32>;
Sha256 sha256(std::string_view bytes) noexcept;
std::string sha256_hex(std::string_view bytes);

}  // namespace puna
