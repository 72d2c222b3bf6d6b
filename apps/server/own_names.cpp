#include "own_names.h"

namespace puna::serve {

std::string OwnNames::of(std::string_view path) const {
  const std::pair<std::string, std::string>* longest = nullptr;
  for (const auto& field : fields_) {
    const std::string& chat = field.first;
    const bool fits =
        path.starts_with(chat) && (path.size() == chat.size() || path[chat.size()] == '.' || path[chat.size()] == '[');
    if (fits && (!longest || chat.size() > longest->first.size())) longest = &field;
  }
  if (!longest) return std::string(path);
  std::string own = longest->second + std::string(path.substr(longest->first.size()));
  for (const auto& [chat, ending] : endings_)
    if (own.ends_with(chat)) return own.replace(own.size() - chat.size(), chat.size(), ending);
  return own;
}

void OwnNames::apply(ApiError& e) const {
  if (fields_.empty()) return;
  std::string message;
  size_t at = 0;
  if (!e.param.empty() && e.message.starts_with(e.param)) {
    message = of(e.param);
    at = e.param.size();
  }
  while (at < e.message.size()) {  // paths stand in single quotes
    const size_t open = e.message.find('\'', at),
                 close = open == e.message.npos ? open : e.message.find('\'', open + 1);
    if (close == e.message.npos) break;
    message += e.message.substr(at, open + 1 - at) + of(std::string_view(e.message).substr(open + 1, close - open - 1));
    message += '\'';
    at = close + 1;
  }
  e.message = message + e.message.substr(at);
  e.param = of(e.param);
}

}  // namespace puna::serve
