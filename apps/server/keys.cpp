#include "keys.h"

#include <algorithm>
#include <sstream>

#include "http/secrets.h"
#include "puna/base/error.h"

namespace puna::serve {

bool Key::may_use(const std::string& model) const {
  return models.empty() || std::find(models.begin(), models.end(), model) != models.end();
}

Keys Keys::parse(std::string_view text, const std::string& place) {
  Keys keys;
  for (const http::Secret& s : http::parse_secrets(text, place)) {
    Key key;
    key.name = s.name;
    key.secret = s.secret;
    std::istringstream words(s.rest);
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
             s.line, word.c_str());
      }
    }
    keys.all_.push_back(std::move(key));
  }
  return keys;
}

const Key* Keys::find(std::string_view secret) const { return http::holder_of(all_, secret); }

}  // namespace puna::serve
