// secrets.h -- who may ask: a file with a name and a secret a line, and what else the line says for its readers.
//
//   # name   secret
//   alice    sk-5b0c...  requests=4
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace puna::http {

struct Secret {
  std::string name, secret, rest;
  int line = 0;
};
// Error{invalid_argument} with the line's number: no secret, one that can be guessed, none at all. `place` names the
// file.
std::vector<Secret> parse_secrets(std::string_view text, const std::string& place);

// The time does not depend on how much of it was right.
bool same_secret(std::string_view given, std::string_view secret);

// The one of `all` whose secret this is; NULL: none of them.
template <class T>
const T* holder_of(const std::vector<T>& all, std::string_view given) {
  const T* found = nullptr;
  for (const T& one : all)
    if (same_secret(given, one.secret)) found = &one;
  return found;
}

// "Authorization: Bearer SECRET"; "" when there is none.
std::string_view bearer(std::string_view authorization);

}  // namespace puna::http
