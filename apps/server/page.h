// page.h -- the files of apps/page, inside the program: cmake/embed_page.cmake writes their table.
#pragma once
#include <string_view>

namespace puna::serve {

struct PageFile {
  std::string_view path;  // "/app.js"
  const char* type;
  std::string_view text;
};

const PageFile* page_file(std::string_view path);  // "/" is index.html; NULL: there is none

}  // namespace puna::serve
