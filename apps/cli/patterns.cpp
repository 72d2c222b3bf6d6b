#include "patterns.h"

#ifndef PUNA_HAVE_PCRE2
namespace puna::cli {
std::unique_ptr<eval::TextPatterns> make_patterns() { return nullptr; }
}  // namespace puna::cli
#else

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <map>
#include <string>

#include "base/shown.h"
#include "base/utf8.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

constexpr uint32_t kMostMatchSteps = 10'000'000, kMostHeapKiB = 64 << 10;

class Patterns final : public eval::TextPatterns {
 public:
  Patterns() : context_(pcre2_match_context_create(nullptr)) {
    pcre2_set_match_limit(context_, kMostMatchSteps);
    pcre2_set_depth_limit(context_, kMostMatchSteps);
    pcre2_set_heap_limit(context_, kMostHeapKiB);
  }
  ~Patterns() override {
    for (const auto& [pattern, code] : codes_) pcre2_code_free(code);
    pcre2_match_context_free(context_);
  }

  std::vector<std::vector<std::string>> find_all(const std::string& pattern, std::string_view text) const override {
    std::vector<std::vector<std::string>> all;
    each_match(pattern, text, [&](const PCRE2_SIZE* at, uint32_t groups) {
      std::vector<std::string>& found = all.emplace_back();
      for (uint32_t g = groups > 0 ? 1 : 0; g <= groups; ++g)
        found.emplace_back(at[2 * g] == PCRE2_UNSET ? "" : text.substr(at[2 * g], at[2 * g + 1] - at[2 * g]));
    });
    return all;
  }

  std::string without(const std::string& pattern, std::string_view text) const override {
    std::string left;
    size_t from = 0;
    each_match(pattern, text, [&](const PCRE2_SIZE* at, uint32_t) {
      left += text.substr(from, at[0] - from);
      from = at[1];
    });
    return left + std::string(text.substr(from));
  }

 private:
  pcre2_code* compiled(const std::string& pattern) const {
    const auto found = codes_.find(pattern);
    if (found != codes_.end()) return found->second;
    int error = 0;
    PCRE2_SIZE at = 0;
    pcre2_code* const code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                           PCRE2_UTF | PCRE2_UCP, &error, &at, nullptr);
    if (!code)
      fail(Status::bad_file, "the regular expression '%s': %s, at character %zu", shown(pattern).c_str(),
           message(error).c_str(), at);
    return codes_[pattern] = code;
  }

  // Python's way: after an empty match the next one begins a character later, or at the same place if it is not empty.
  template <class Visit>
  void each_match(const std::string& pattern, std::string_view text, Visit&& visit) const {
    pcre2_code* const code = compiled(pattern);
    uint32_t groups = 0;
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
    const struct Data {
      pcre2_match_data* data;
      ~Data() { pcre2_match_data_free(data); }
    } match{pcre2_match_data_create_from_pattern(code, nullptr)};
    size_t at = 0;
    uint32_t options = 0;
    while (at <= text.size()) {
      const int found =
          pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, options, match.data, context_);
      if (found == PCRE2_ERROR_NOMATCH) {
        if (options == 0) return;
        options = 0;  // nothing but an empty match here: a character on
        at += at < text.size() ? decode_utf8(text.data() + at, text.data() + text.size()).size : 1;
        continue;
      }
      if (found < 0)
        fail(Status::bad_file, "the regular expression '%s' on a text of %zu bytes: %s", shown(pattern).c_str(),
             text.size(), message(found).c_str());
      const PCRE2_SIZE* const where = pcre2_get_ovector_pointer(match.data);
      visit(where, groups);
      at = where[1];
      options = where[0] == where[1] ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0;
    }
  }

  static std::string message(int error) {
    PCRE2_UCHAR text[256];
    pcre2_get_error_message(error, text, sizeof text);
    return reinterpret_cast<const char*>(text);
  }

  pcre2_match_context* context_;
  mutable std::map<std::string, pcre2_code*> codes_;
};

}  // namespace

std::unique_ptr<eval::TextPatterns> make_patterns() { return std::make_unique<Patterns>(); }

}  // namespace puna::cli
#endif
