// segments.h -- text that a format writes, with its special tokens apart from what calls say.
#pragma once
#include <string_view>
#include <vector>

#include "chat/tools/format.h"

namespace puna::tools {

class Segments {
 public:
  explicit Segments(const ToolFormat& format) : format_(format) {}

  void add(std::string_view text) {  // never a special token
    if (text.empty()) return;
    if (all_.empty() || all_.back().special) all_.emplace_back();
    all_.back().text += text;
  }
  // The format's own: specials are tokens; `only`: this one alone.
  void add_own(std::string_view text, std::string_view only = {}) {
    while (!text.empty()) {
      size_t first = text.size();
      std::string_view found;
      for (const std::string_view special : format_.specials)
        if (const size_t at = only.empty() || only == special ? text.find(special) : text.npos; at < first)
          first = at, found = special;
      add(text.substr(0, first));
      if (!found.empty()) all_.push_back({std::string(found), true});
      text.remove_prefix(first + found.size());
    }
  }
  std::vector<ChatSegment> take() { return std::move(all_); }

 private:
  const ToolFormat& format_;
  std::vector<ChatSegment> all_;
};

}  // namespace puna::tools
