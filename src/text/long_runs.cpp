#include "text/long_runs.h"

#include "text/unicode/unicode.h"

namespace puna::text {
namespace {

constexpr size_t kMostCharacters = 400'000, kLongestRun = 25'000;

// White space as Python's str.isspace sees it: the four ASCII separators as well.
bool is_python_space(const char* p, Char c) noexcept { return c.is(kSpace) || (*p >= 0x1C && *p <= 0x1F); }

}  // namespace

void cut_long_runs(std::string_view utf8, FunctionRef<void(std::string_view)> part) {
  const char *p = utf8.data(), *const end = p + utf8.size(), *from = p;
  if (utf8.size() <= kLongestRun) return part(utf8);
  size_t characters = 0, run = 0;
  bool spaces = false;
  const auto cut = [&] {
    part({from, size_t(p - from)});
    from = p;
  };
  while (p < end) {
    const Char c = char_at(p, end);
    const bool space = is_python_space(p, c);
    if (characters == kMostCharacters) {
      cut();
      characters = run = 0;
    }
    if (run == 0 || space != spaces) run = 0, spaces = space;
    if (run == kLongestRun) {
      cut();
      run = 0;
    }
    ++run, ++characters;
    p += c.size;
  }
  cut();
}

}  // namespace puna::text
