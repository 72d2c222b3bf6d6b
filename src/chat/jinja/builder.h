// builder.h -- puts a text together, keeping which of its bytes are content, paying as it grows.
#pragma once
#include <string_view>

#include "chat/jinja/machine.h"

namespace puna::jinja {

class TextBuilder {
 public:
  explicit TextBuilder(Machine& m) : m_(m) {}
  void add(std::string_view s, bool content = false);
  void add(const Text& t, size_t begin, size_t end);
  void add(const Text& t) { add(t, 0, t.text.size()); }
  void add(const Value& text) { add(text.as<Text>()); }
  void add_character(char32_t c, bool content);
  void repeat(std::string_view unit, int64_t times,
              bool content = false);  // refused before it is made when it is too long
  void repeat(const Text& unit, int64_t times);
  // Calls f(out, from, to) for the stretches of [begin, end), which adds what becomes of these bytes. Whatever it is
  // has their mark.
  template <class F>
  void add_mapped(const Text& t, size_t begin, size_t end, F f) {
    t.each_stretch(begin, end, [&](size_t from, size_t to, bool content) {
      while (from < to) {
        piece_.clear();
        from = f(piece_, from, to);
        add(piece_, content);
      }
    });
  }

  size_t size() const { return out_.text.size(); }
  bool empty() const { return out_.text.empty(); }
  Value finish(bool markup = false) { return m_.text(std::move(out_), markup); }

 private:
  Machine& m_;
  Marked out_;
  std::string piece_;
};

}  // namespace puna::jinja
