#include "text/piece_table.h"

#include "puna/base/error.h"

namespace puna::text {
namespace {

constexpr size_t kLongestPieceProbe = 1024;  // real vocabularies at half load stay below a hundred

__extension__ typedef unsigned __int128 Wide;
uint64_t mix(uint64_t a, uint64_t b) noexcept {
  const Wide product = Wide(a) * b;
  return uint64_t(product) ^ uint64_t(product >> 64);
}
template <class T>
uint64_t load(const char* p) noexcept {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

}  // namespace

// Multiply-and-fold, eight bytes a step; the last step overlaps so that no byte needs a loop of its own.
uint64_t hash_bytes(const char* p, size_t n) noexcept {
  constexpr uint64_t k0 = 0x9E3779B97F4A7C15u, k1 = 0xD1B54A32D192ED03u, k2 = 0x8CB92BA72F3D8DD7u;
  uint64_t seed = k0 ^ n, a = 0, b = 0;
  if (n >= 8) {
    for (size_t i = 0; i + 16 < n; i += 8) seed = mix(load<uint64_t>(p + i) ^ k1, seed ^ k2);
    const size_t tail = n > 16 ? n - 16 : 0;
    a = load<uint64_t>(p + tail), b = load<uint64_t>(p + n - 8);
  } else if (n >= 4) {
    a = load<uint32_t>(p), b = load<uint32_t>(p + n - 4);
  } else if (n > 0) {
    a = uint64_t(static_cast<unsigned char>(p[0])) << 8 | static_cast<unsigned char>(p[n / 2]);
    b = static_cast<unsigned char>(p[n - 1]);
  }
  return mix(a ^ k1 ^ seed, b ^ k2 ^ seed << 1);
}

void PieceList::add(std::string_view piece) {
  if (piece.size() > UINT32_MAX - arena_.size())
    fail(Status::unsupported, "tokenizer: the vocabulary's text is above 4 GiB");
  if (ends_.size() >= size_t(INT32_MAX))
    fail(Status::unsupported, "tokenizer: the vocabulary has more than 2^31 - 1 pieces");
  arena_.append(piece);
  ends_.push_back(uint32_t(arena_.size()));
}

void PieceIndex::reserve(size_t pieces) {
  size_t slots = 64;
  while (slots < 2 * pieces) slots *= 2;
  slots_.assign(slots, {0, -1});
}

void PieceIndex::grow(const PieceList& pieces, size_t slots) {
  std::vector<Slot> old(slots, Slot{0, -1});
  old.swap(slots_);
  used_ = 0;
  for (const Slot& s : old)
    if (s.id >= 0) insert(pieces, s.id);
}

int32_t PieceIndex::insert(const PieceList& pieces, int32_t id) {
  if (slots_.size() < 2 * (used_ + 1)) grow(pieces, slots_.empty() ? 64 : 2 * slots_.size());
  const std::string_view key = pieces[id];
  const uint64_t hash = hash_bytes(key.data(), key.size());
  const size_t mask = slots_.size() - 1;
  for (size_t i = 0; i <= kLongestPieceProbe; ++i) {
    Slot& s = slots_[(hash + i) & mask];
    if (s.id < 0) {
      s = {uint32_t(hash >> 32), id};
      ++used_;
      if (key.size() > longest_) longest_ = key.size();
      return -1;
    }
    if (s.tag == uint32_t(hash >> 32) && pieces[s.id] == key) return s.id;
  }
  fail(Status::bad_file, "tokenizer: more than %zu pieces share one hash value; no trained vocabulary does",
       kLongestPieceProbe);
}

int32_t PieceIndex::find(const PieceList& pieces, std::string_view key) const noexcept {
  if (key.size() > longest_ || slots_.empty()) return -1;
  const uint64_t hash = hash_bytes(key.data(), key.size());
  const size_t mask = slots_.size() - 1;
  for (size_t i = 0; i <= kLongestPieceProbe; ++i) {
    const Slot s = slots_[(hash + i) & mask];
    if (s.id < 0) return -1;
    if (s.tag == uint32_t(hash >> 32) && pieces[s.id] == key) return s.id;
  }
  return -1;
}

}  // namespace puna::text
