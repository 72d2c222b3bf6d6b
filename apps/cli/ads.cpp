// puna ads: budgets, choices and auctions of advertisements, simulated and judged. Nothing is bought or published.
#include "ads.h"

#include <charconv>

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
      seeds.push_back(s);
      if (s == last) break;
    }
    if (at == end) return seeds;
    if (*at++ != ',')
      fail(Status::invalid_argument, "%s is '%s', expected commas between numbers", option, list.c_str());
  }
}

void add_ads(CLI::App& app) {
  const Verb ads(app, "ads", "Advertisements: pacing, choice and auctions simulated, logs evaluated");
  ads.require_verb();
  add_ads_simulate(ads);
  add_ads_ope(ads);
}

}  // namespace puna::cli
