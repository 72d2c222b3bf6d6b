#include "base/json.h"

#include <set>
#include <string>
#include <vector>

#include "puna/base/error.h"

namespace puna {
namespace {

constexpr int kMaxDepth = 64;

template <class J>
J parse(std::string_view text, const char* what) {
  if (const size_t nul = text.find('\0'); nul != text.npos)  // nlohmann-json would take it for the end
    fail(Status::bad_file, "%s: not valid JSON: a NUL at byte %zu", what, nul);
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto check = [&](int depth, typename J::parse_event_t event, J& value) {
    if (depth > kMaxDepth) fail(Status::bad_file, "%s: JSON nested deeper than %d", what, kMaxDepth);
    if (event == J::parse_event_t::object_start) keys.emplace_back();
    if (event == J::parse_event_t::object_end) keys.pop_back();
    if (event == J::parse_event_t::key && !keys.back().insert(value.template get_ref<const std::string&>()).second)
      fail(Status::bad_file, "%s: key '%.64s' appears twice", what, value.template get_ref<const std::string&>().c_str());
    return true;
  };
  try {
    return J::parse(text.begin(), text.end(), check);
  } catch (const nlohmann::json::exception& e) {
    fail(Status::bad_file, "%s: not valid JSON: %s", what, e.what());
  }
}

}  // namespace

Json parse_json(std::string_view text, const char* what) { return parse<Json>(text, what); }
OrderedJson parse_ordered_json(std::string_view text, const char* what) { return parse<OrderedJson>(text, what); }

}  // namespace puna
