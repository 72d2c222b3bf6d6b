#include "keys.h"

#include <algorithm>
#include <sstream>

#include "puna/base/error.h"

namespace puna::serve {
namespace {

// Looks at every byte of both, whatever they hold.
bool same(std::string_view a, std::string_view b) {
  unsigned difference = unsigned(a.size() ^ b.size());
  for (size_t i = 0; i < b.size(); ++i) difference |= unsigned(uint8_t(b[i]) ^ (i < a.size() ? uint8_t(a[i]) : 0));
  return difference == 0;
}

constexpr size_t kShortest = 16;  // of a secret: shorter ones can be guessed

}  // namespace

bool Key::may_use(const std::string& model) const {
  return models.empty() || std::find(models.begin(), models.end(), model) != models.end();
}

Keys Keys::parse(std::string_view text, const std::string& place) {
  Keys keys;
  std::istringstream lines{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line.substr(0, line.find('#')));
    Key key;
    if (!(words >> key.name)) continue;
    if (!(words >> key.secret))
      fail(Status::invalid_argument, "%s:%d: expected 'NAME SECRET ...'", place.c_str(), number);
    PUNA_REQUIRE(key.secret.size() >= kShortest && key.secret.size() <= 512,
                 "%s:%d: the secret of '%s' has %zu characters, expected %zu to 512", place.c_str(), number,
                 key.name.c_str(), key.secret.size(), kShortest);
    for (std::string word; words >> word;) {
      if (word == "owner") {
        key.owner = true;
      } else if (word.rfind("models=", 0) == 0) {
        std::istringstream names(word.substr(7));
        for (std::string name; std::getline(names, name, ',');) key.models.push_back(name);
      } else if (word.rfind("requests=", 0) == 0 && word.size() > 9 && word.size() < 15 &&
                 word.find_first_not_of("0123456789", 9) == word.npos) {
        key.requests = std::stoi(word.substr(9));
      } else {
        fail(Status::invalid_argument, "%s:%d: '%s' is neither 'owner', 'models=...' nor 'requests=N'", place.c_str(),
             number, word.c_str());
      }
    }
    keys.all_.push_back(std::move(key));
  }
  PUNA_REQUIRE(!keys.all_.empty(), "%s: there is no key in it", place.c_str());
  return keys;
}

const Key* Keys::find(std::string_view secret) const {
  const Key* found = nullptr;
  for (const Key& k : all_)
    if (same(secret, k.secret)) found = &k;
  return found;
}

}  // namespace puna::serve
