// files.h -- the table that embed.cmake writes.
#pragma once
#include <span>
#include <string_view>

namespace puna::pages {

struct PageFile {
  std::string_view path;  // "chat.html", "shared/dom.js"
  const char* type;
  std::string_view text;
};
std::span<const PageFile> page_files();

}  // namespace puna::pages
