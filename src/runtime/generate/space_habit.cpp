#include "runtime/generate/space_habit.h"

#include <algorithm>

namespace puna {
namespace {

constexpr std::string_view kSpaces = " \t\n\r";

}  // namespace

void SpaceHabit::read(std::string_view text) {
  for (const char byte : text) {
    if (!in_string_ && kSpaces.find(byte) != kSpaces.npos) {
      if (space_.size() < kMostSpace) space_ += byte;
      continue;
    }
    if (!in_string_ && last_ != 0 && space_.size() < kMostSpace)
      behind_[std::min(kMarks.find(last_), kMarks.size())] = space_;
    if (!escaped_ && byte == '"') in_string_ = !in_string_;
    escaped_ = in_string_ && !escaped_ && byte == '\\';
    last_ = byte;
    space_.clear();
  }
}

std::string_view SpaceHabit::guess(std::string_view more) const noexcept {
  const size_t end = more.find_last_not_of(kSpaces);
  const bool all_space = end == more.npos;
  const char last = all_space ? last_ : more[end];
  const size_t written = all_space ? space_.size() + more.size() : more.size() - end - 1;
  const std::string_view space = behind_[std::min(kMarks.find(last), kMarks.size())];
  return space.substr(std::min(written, space.size()));
}

}  // namespace puna
