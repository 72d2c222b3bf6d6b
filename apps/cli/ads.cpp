// puna ads: advertisements written, checked, simulated, judged and drawn. Nothing is bought or published.
#include "ads.h"

#include <algorithm>
#include <charconv>

#include "base/file_kind.h"
#include "common.h"
#include "puna/base/error.h"
#include "verbs.h"

namespace puna::cli {

TextInput::TextInput(const std::string& path) {
  constexpr uint64_t kMostOfPipe = uint64_t(1) << 30;
  if (path != "-" && os::is_file(path)) {
    mapped_ = std::make_unique<os::MappedFile>(path);
    file_ = {.text = {reinterpret_cast<const char*>(mapped_->data()), size_t(mapped_->size())}, .name = path};
  } else {
    read_ = read_stream(path, kMostOfPipe);
    file_ = {.text = read_, .name = path};
  }
  require_text_file(file_.text, path == "-" ? "standard input" : path, "a table or JSON lines in UTF-8 text");
}

void TextInput::drop(size_t bytes) {
  if (bytes < dropped_) dropped_ = 0;  // it is read from the beginning again
  if (mapped_) os::drop_mapped_pages(mapped_->data() + dropped_, bytes - dropped_);
  dropped_ = bytes;
}

std::vector<uint64_t> parse_seeds(const std::string& list, const char* option) {
  constexpr size_t kMostSeeds = 10'000;
  std::vector<uint64_t> seeds;
  const char *at = list.data(), *const end = list.data() + list.size();
  const auto number = [&] {
    uint64_t n = 0;
    const auto [after, error] = std::from_chars(at, end, n);
    if (error != std::errc())
      fail(Status::invalid_argument, "%s is '%s', expected numbers such as 0,1,2 or 0-7", option, list.c_str());
    at = after;
    return n;
  };
  while (true) {
    const uint64_t first = number();
    uint64_t last = first;
    if (at != end && *at == '-') {
      ++at;
      last = number();
    }
    if (last < first || last - first >= kMostSeeds || seeds.size() + (last - first) >= kMostSeeds)
      fail(Status::invalid_argument, "%s is '%s', expected up to %zu rising numbers", option, list.c_str(), kMostSeeds);
    for (uint64_t s = first;; ++s) {
      if (std::find(seeds.begin(), seeds.end(), s) != seeds.end())
        fail(Status::invalid_argument, "%s is '%s', which has %ju twice", option, list.c_str(), uintmax_t(s));
      seeds.push_back(s);
      if (s == last) break;
    }
    if (at == end) return seeds;
    if (*at++ != ',')
      fail(Status::invalid_argument, "%s is '%s', expected commas between numbers", option, list.c_str());
  }
}

ads::Micros parse_money(const std::string& text, const char* option) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  ads::Micros micros = 0;
  int behind = -1, digits = 0;  // digits behind the point, once there is one
  bool is_money = text.size() <= 15;
  for (const char c : text) {
    if (c == '.' && behind < 0) {
      behind = 0;
    } else if (is_digit(c) && behind < 6) {
      micros = micros * 10 + (c - '0');
      behind += behind >= 0;
      ++digits;
    } else {
      is_money = false;
    }
  }
  for (int i = std::max(behind, 0); i < 6 && is_money && micros <= ads::kMostMicros; ++i) micros *= 10;
  if (!is_money || digits == 0 || micros <= 0 || micros > ads::kMostMicros)
    fail(Status::invalid_argument,
         "%s is '%s', expected an amount above 0, up to 9000000, with at most six digits behind the point", option,
         text.c_str());
  return micros;
}

void add_ads(CLI::App& app) {
  const Verb ads(app, "ads",
                 "Advertisements: texts written and checked, pacing, choice and auctions simulated, logs evaluated");
  ads.require_verb();
  ads.refuse_empty_texts();
  add_ads_plan(ads);
  add_ads_lint(ads);
  add_ads_simulate(ads);
  add_ads_ope(ads);
  add_ads_report(ads);
#if PUNA_EVAL && PUNA_HAVE_SQLITE
  add_ads_feedback(ads);
  add_ads_serve(ads);
#endif
}

}  // namespace puna::cli
