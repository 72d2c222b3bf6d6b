// fuzz_module_pattern.cpp -- a regular expression of PEFT's up to the first zero byte, and names of modules behind it,
// one a line: an Error, or a pattern that keeps the laws of regular expressions.
#include <optional>
#include <vector>

#include "expect_error.h"
#include "model/module_pattern.h"
#include "scratch_folder.h"
#include "target.h"

namespace {

using namespace puna;
using test::require;

template <class Pattern>
std::optional<Pattern> compile(const std::string& text) {
  std::optional<Pattern> made;
  test::expect_error_only([&] { made.emplace(text, "target_modules"); });
  return made;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines{"model.layers.0.self_attn.q_proj", "q_proj", ""};
  while (!text.empty() && lines.size() < 16) {
    lines.push_back(text.substr(0, std::min<size_t>(text.find('\n'), 200)));
    text.remove_prefix(std::min(text.size(), std::min(text.find('\n'), text.size()) + 1));
  }
  return lines;
}

}  // namespace

FUZZ_TARGET(module_pattern) {
  std::string_view parts[2];
  test::split_at_zeros(test::text_of(data, size), parts);
  const std::string p(parts[0]);
  const auto pattern = compile<ModulePattern>(p);
  const auto key = compile<ModuleKey>(p);
  if (!pattern) return 0;
  require(pattern->states() >= 1 && pattern->states() <= 4096);
  // A pattern that is near the limit of states can be beyond it inside another one: then there is nothing to compare
  // with.
  const auto grouped = compile<ModulePattern>("(?:" + p + ")"), either = compile<ModulePattern>("x|" + p),
             prefixed = compile<ModulePattern>("(.*\\.)?(" + p + ")"), once = compile<ModulePattern>("(" + p + "){1}"),
             twice = compile<ModulePattern>("(" + p + "){2}"), both = compile<ModulePattern>("(" + p + ")(" + p + ")");
  for (const std::string_view name : lines_of(parts[1])) {
    const bool yes = pattern->matches(name);
    if (grouped) require(grouped->matches(name) == yes);
    if (either) require(either->matches(name) == (yes || name == "x"));
    if (once) require(once->matches(name) == yes);
    if (twice && both) require(twice->matches(name) == both->matches(name));
    if (key && prefixed) require(key->matches(name) == prefixed->matches(name));
  }
  return 0;
}
