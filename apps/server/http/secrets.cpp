#include "secrets.h"

#include <cstdint>
#include <sstream>

#include "base/file_kind.h"
#include "base/utf8.h"
#include "puna/base/error.h"

namespace puna::http {
namespace {

constexpr size_t kShortest = 16, kLongest = 512;  // of a secret: shorter ones can be guessed

}  // namespace

std::vector<Secret> parse_secrets(std::string_view text, const std::string& place) {
  require_text_file(text, place, "lines of 'NAME SECRET'");
  std::vector<Secret> all;
  std::istringstream lines{std::string(without_bom(text))};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line.substr(0, line.find('#')));
    Secret s;
    s.line = number;
    if (!(words >> s.name)) continue;
    if (!(words >> s.secret))
      fail(Status::invalid_argument, "%s:%d: expected 'NAME SECRET ...'", place.c_str(), number);
    PUNA_REQUIRE(s.secret.size() >= kShortest && s.secret.size() <= kLongest,
                 "%s:%d: the secret of '%s' has %zu characters, expected %zu to %zu", place.c_str(), number,
                 s.name.c_str(), s.secret.size(), kShortest, kLongest);
    std::getline(words, s.rest);
    all.push_back(std::move(s));
  }
  PUNA_REQUIRE(!all.empty(), "%s: there is no key in it", place.c_str());
  return all;
}

// Looks at every byte of both, whatever they hold.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned difference = unsigned(a.size() ^ b.size());
  for (size_t i = 0; i < b.size(); ++i) difference |= unsigned(uint8_t(b[i]) ^ (i < a.size() ? uint8_t(a[i]) : 0));
  return difference == 0;
}

std::string_view bearer(std::string_view field) {
  return field.starts_with("Bearer ") || field.starts_with("bearer ") ? field.substr(7) : std::string_view();
}

}  // namespace puna::http
