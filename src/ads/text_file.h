// text_file.h -- a file as it was read or mapped: its text, and its name for errors.
#pragma once
#include <string>
#include <string_view>

namespace puna::ads {

struct TextFile {
  std::string_view text;
  std::string name;
};

}  // namespace puna::ads
