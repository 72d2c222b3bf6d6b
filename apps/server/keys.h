// keys.h -- who may ask: API keys out of a file, a line each.
//
//   # name   secret                            and what it may
//   alice    sk-5b0c...  requests=4 models=small,small:poet
//   admin    sk-9e77...  owner
//
// requests: at once (0 = as many as the server takes). models: of these names only. owner: loads and drops models.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace puna::serve {

struct Key {
  std::string name, secret;
  int requests = 0;
  std::vector<std::string> models;  // empty = all
  bool owner = false;
  bool may_use(const std::string& model) const;
};

class Keys {
 public:
  Keys() = default;
  // Error{invalid_argument} with the line's number. `place` names the file.
  static Keys parse(std::string_view text, const std::string& place);
  bool empty() const { return all_.empty(); }
  // NULL: none of them. The time does not depend on how much of a secret was right.
  const Key* find(std::string_view secret) const;

 private:
  std::vector<Key> all_;
};

}  // namespace puna::serve
