// space_habit.h -- which white space a writer of JSON puts where it has the choice: what it put last behind the same
// byte. Before that is known: one blank behind colons and commas.
#pragma once
#include <string>
#include <string_view>

namespace puna {

class SpaceHabit {
 public:
  void read(std::string_view text);  // what was written next
  // What is still to come of the white space behind all that was read and then `more`.
  std::string_view guess(std::string_view more) const noexcept;
  void forget() { *this = {}; }

 private:
  static constexpr size_t kMostSpace = 64;  // bytes; what is longer is no habit
  static constexpr std::string_view kMarks = "{}[],:\"";

  // The white space behind each of kMarks, and behind all other bytes.
  std::string behind_[kMarks.size() + 1] = {"", "", "", "", " ", " ", "", ""};
  char last_ = 0;      // byte that was no white space
  std::string space_;  // behind it
  bool in_string_ = false, escaped_ = false;
};

}  // namespace puna
