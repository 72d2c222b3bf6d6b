// derivative.cpp -- with d = d/dc and n(r) = whether r matches nothing at all:
//   d nothing = d empty = nothing      d set = empty if c is in the set, else nothing
//   d (r s)   = (d r) s | d s if n(r)  d (r | s) = d r | d s       d (r & s) = d r & d s       d ~r = ~d r
//   d of a decimal multiple is one again (decimal_multiple.cpp)
//   d r{m,k}  = (d r) r{m-1,k-1}       (where n(r), m is 0 already: a repetition that matches nothing may be left out)
#include "grammar/derivative.h"

#include <algorithm>

namespace puna::grammar {

ByteClasses::ByteClasses(const std::vector<ByteSet>& sets) {
  of.fill(0);
  count = 1;
  for (const ByteSet& set : sets) {
    // A class of which some bytes are in the set and some are not becomes two.
    std::array<int, 256> inside, outside;
    inside.fill(-1);
    outside.fill(-1);
    int next = 0;
    std::array<uint8_t, 256> split;
    for (int byte = 0; byte < 256; ++byte) {
      int& number = (set.has(uint8_t(byte)) ? inside : outside)[of[size_t(byte)]];
      if (number < 0) number = next++;
      split[size_t(byte)] = uint8_t(number);
    }
    of = split;
    count = next;
  }
  for (int byte = 255; byte >= 0; --byte) first_byte[of[size_t(byte)]] = uint8_t(byte);
}

size_t Derivatives::place(uint64_t key) const noexcept {
  size_t i = mixed(0, key) & (slots_.size() - 1);
  while (slots_[i].key != 0 && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
  return i;
}

void Derivatives::keep(Regex r, int byte_class, Regex derivative) {
  if (2 * (kept_ + 1) > slots_.size()) {
    std::vector<Slot> old(slots_.empty() ? 256 : 2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.key != 0) slots_[place(slot.key)] = slot;
  }
  const uint64_t key = (uint64_t(r) << 8 | uint64_t(byte_class)) + 1;
  slots_[place(key)] = {key, derivative};
  ++kept_;
}

bool Derivatives::known(Regex r, int byte_class, Regex& derivative) const {
  derivative = arena_.nothing();
  if (!arena_.first(r).has(classes_.first_byte[size_t(byte_class)])) return true;
  if (arena_.op(r) == RegexBuilder::Op::bytes) {
    derivative = arena_.empty();
    return true;
  }
  if (slots_.empty()) return false;
  const uint64_t key = (uint64_t(r) << 8 | uint64_t(byte_class)) + 1;
  const Slot& slot = slots_[place(key)];
  derivative = slot.derivative;
  return slot.key == key;
}

Regex Derivatives::of(Regex wanted, int byte_class) {
  Regex derivative;
  if (known(wanted, byte_class, derivative)) return derivative;
  stack_.assign(1, wanted);
  while (!stack_.empty()) {
    const Regex r = stack_.back();
    if (known(r, byte_class, derivative)) {
      stack_.pop_back();
      continue;
    }
    const size_t before = stack_.size();
    const auto need = [&](Regex child) {
      if (!known(child, byte_class, derivative)) stack_.push_back(child);
    };
    const std::span<const Regex> children = arena_.children(r);
    if (arena_.op(r) == RegexBuilder::Op::concat) {
      need(children[0]);
      if (arena_.nullable(children[0])) need(children[1]);
    } else {
      for (const Regex child : children) need(child);
    }
    if (stack_.size() > before) continue;
    derivative = compute(r, byte_class);
    // Of an intersection the parts' are kept: there may be as many intersections as pairs of them.
    if (r == wanted && arena_.op(r) == RegexBuilder::Op::both) return derivative;
    keep(r, byte_class, derivative);
    stack_.pop_back();
  }
  known(wanted, byte_class, derivative);
  return derivative;
}

// The children's derivatives are known.
Regex Derivatives::compute(Regex r, int byte_class) {
  using Op = RegexBuilder::Op;
  const auto of_child = [&](size_t i) {
    Regex derivative;
    known(arena_.children(r)[i], byte_class, derivative);
    return derivative;
  };
  switch (arena_.op(r)) {
    case Op::concat: {
      const Regex a = arena_.children(r)[0], b = arena_.children(r)[1];
      const Regex left = arena_.concat(of_child(0), b);
      if (!arena_.nullable(a)) return left;
      const Regex both_ways[] = {left, of_child(1)};
      return arena_.either(both_ways);
    }
    case Op::either:
    case Op::both: {
      parts_.clear();
      for (size_t i = 0, n = arena_.children(r).size(); i < n; ++i) {
        const Regex part = of_child(i);
        if (arena_.op(r) == Op::both || part != arena_.nothing()) parts_.push_back(part);
      }
      return arena_.op(r) == Op::both ? arena_.both(parts_) : arena_.either(parts_);
    }
    case Op::complement: return arena_.complement(of_child(0));
    case Op::repeat: {
      const RegexBuilder::Bounds bounds = arena_.bounds(r);
      const uint64_t min = bounds.min == 0 ? 0 : bounds.min - 1;
      const uint64_t max = bounds.max == kUnbounded ? kUnbounded : bounds.max - 1;
      const Regex rest = arena_.repeat(arena_.children(r)[0], min, max);
      return arena_.concat(of_child(0), rest);
    }
    case Op::multiple: return arena_.after(arena_.multiple(r), classes_.first_byte[size_t(byte_class)]);
    default: return arena_.nothing();
  }
}

}  // namespace puna::grammar
