// dropped.h -- warns on standard error about fields that a chat template leaves out, once for each field.
#pragma once
#include <cstdio>
#include <set>
#include <string>
#include <vector>

namespace puna::cli {

class DroppedFields {
 public:
  void warn(const std::vector<std::string>& fields) {
    std::string list;
    for (const std::string& field : fields)
      if (reported_.insert(field).second) list += (list.empty() ? "" : ", ") + field;
    if (!list.empty()) fprintf(stderr, "puna: the chat template writes nothing of %s\n", list.c_str());
  }

 private:
  std::set<std::string> reported_;
};

}  // namespace puna::cli
