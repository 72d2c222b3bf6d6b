// own_names.h -- requests of other protocols are checked as chat requests. What is wrong with one is told by the names
// that its own protocol has: 'input[3].call_id', not 'messages[2].tool_call_id'.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api_error.h"

namespace puna::serve {

class OwnNames {
 public:
  // What is `chat` in the chat request is `own` in the client's, and so is all below it. The longest one that fits
  // holds.
  void add(std::string chat, std::string own) { fields_.emplace_back(std::move(chat), std::move(own)); }
  // Below them a path that ends so ends otherwise: ".function.name" as ".name".
  void add_ending(std::string chat, std::string own) { endings_.emplace_back(std::move(chat), std::move(own)); }
  std::string of(std::string_view path) const;  // as it is where nothing was added for it
  // The field of an error, and the paths in its message.
  void apply(ApiError& e) const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_, endings_;
};

}  // namespace puna::serve
