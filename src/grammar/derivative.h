// derivative.h -- what is left of an expression after a byte (Brzozowski, JACM 1964), computed when asked for and kept.
// Bytes that no set of the expressions tells apart are one class, so a derivative is by class.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "grammar/regex.h"

namespace puna::grammar {

struct ByteClasses {
  explicit ByteClasses(const std::vector<ByteSet>& sets);
  std::array<uint8_t, 256> of;            // byte -> class
  std::array<uint8_t, 256> first_byte{};  // class -> its least byte; classes are in the order of these
  int count = 0;
};

class Derivatives {
 public:
  // The arena may grow, but no set may be added to it that tells bytes of a class apart.
  Derivatives(RegexBuilder& arena, const ByteClasses& classes) : arena_(arena), classes_(classes) {}

  Regex of(Regex r, int byte_class);
  size_t bytes_held() const noexcept { return slots_.size() * sizeof(Slot); }

 private:
  // A derivative that is known without looking at children's, or kept.
  bool known(Regex r, int byte_class, Regex& derivative) const;
  Regex compute(Regex r, int byte_class);
  void keep(Regex r, int byte_class, Regex derivative);

  struct Slot {
    uint64_t key = 0;  // (expression, class) + 1
    Regex derivative{};
  };
  size_t place(uint64_t key) const noexcept;

  RegexBuilder& arena_;
  const ByteClasses& classes_;
  std::vector<Slot> slots_;
  size_t kept_ = 0;
  std::vector<Regex> stack_, parts_;
};

}  // namespace puna::grammar
