// prompt.cpp -- prompts with images: expanding, filling, cutting, comparing.
#include "puna/runtime/prompt.h"

#include <algorithm>

#include "puna/base/error.h"
#include "puna/runtime/image.h"

namespace puna {
namespace {

void require_images(const Model& model, std::span<const ImagePtr> images) {
  for (size_t i = 0; i < images.size(); ++i) {
    PUNA_REQUIRE(images[i] != nullptr, "image %zu is NULL", i);
    PUNA_REQUIRE(&images[i]->model() == &model, "image %zu belongs to another model", i);
  }
}

// Adds the filling of one position to a list of runs.
void fill(std::vector<Patches>& runs, int64_t position, const ImagePtr& image, int64_t row) {
  if (!runs.empty()) {
    Patches& last = runs.back();
    if (last.image == image && last.position + last.count == position && last.row + last.count == row) {
      ++last.count;
      return;
    }
  }
  runs.push_back({position, 1, row, image});
}

// What fills `position`: the row of an image, or no image. `at` walks along the runs.
struct FilledBy {
  const Image* image = nullptr;
  int64_t row = 0;
};
FilledBy filled_by(std::span<const Patches> runs, size_t& at, int64_t position) noexcept {
  while (at < runs.size() && runs[at].position + runs[at].count <= position) ++at;
  if (at == runs.size() || runs[at].position > position) return {};
  return {runs[at].image.get(), runs[at].row + position - runs[at].position};
}

}  // namespace

void Prompt::append(const PromptView& more) {
  const int64_t shift = int64_t(tokens.size());
  patches.reserve(patches.size() + more.patches.size());
  tokens.insert(tokens.end(), more.tokens.begin(), more.tokens.end());
  for (Patches p : more.patches) {
    p.position += shift;
    patches.push_back(std::move(p));
  }
}

void Prompt::truncate(int64_t length) noexcept {
  tokens.erase(tokens.begin() + length, tokens.end());
  while (!patches.empty() && patches.back().position >= length) patches.pop_back();
  if (!patches.empty()) patches.back().count = std::min(patches.back().count, length - patches.back().position);
}

Prompt place_images(const Model& model, std::span<const int32_t> tokens, std::span<const ImagePtr> images) {
  require_images(model, images);
  const int32_t patch = images.empty() ? -1 : model.require_image_tokens().patch;
  Prompt prompt{{tokens.begin(), tokens.end()}, {}};
  size_t image = 0;
  int64_t row = 0, places = 0, features = 0;
  for (const ImagePtr& i : images) features += i->features();
  for (size_t p = 0; p < tokens.size(); ++p) {
    if (tokens[p] != patch || images.empty() || ++places > features) continue;
    fill(prompt.patches, int64_t(p), images[image], row++);
    if (row < images[image]->features()) continue;
    ++image;
    row = 0;
  }
  PUNA_REQUIRE(places == features, "the tokens have %lld patches, the %zu images fill %lld",
               static_cast<long long>(places), images.size(), static_cast<long long>(features));
  return prompt;
}

Prompt expand_images(const Model& model, std::span<const int32_t> tokens, std::span<const ImagePtr> images) {
  if (images.empty()) return {{tokens.begin(), tokens.end()}, {}};
  require_images(model, images);
  const int32_t place = model.require_image_tokens().image;
  const auto places = std::count(tokens.begin(), tokens.end(), place);
  PUNA_REQUIRE(size_t(places) == images.size(),
               "the prompt has %lld places for images (<|image|>), %zu images were given",
               static_cast<long long>(places), images.size());
  Prompt prompt;
  size_t next = 0;
  for (size_t p = 0; p < tokens.size(); ++p) {
    if (tokens[p] != place) {
      prompt.tokens.push_back(tokens[p]);
      continue;
    }
    const ImagePtr* image = &images[next++];
    prompt.append(place_images(model, (*image)->tokens(), {image, 1}));
  }
  return prompt;
}

Prompt prompt_with_images(const Model& model, std::span<const int32_t> tokens, std::span<const ImagePtr> images) {
  if (images.empty()) return {{tokens.begin(), tokens.end()}, {}};
  const bool expanded = std::find(tokens.begin(), tokens.end(), model.require_image_tokens().patch) != tokens.end();
  return expanded ? place_images(model, tokens, images) : expand_images(model, tokens, images);
}

int64_t whole_images(const PromptView& prompt, int64_t length) noexcept {
  for (size_t i = 0; i < prompt.patches.size(); ++i) {
    const Patches& last = prompt.patches[i];
    if (last.position + last.count <= length || last.row + last.count < last.image->features()) continue;
    // The run that ends the first image behind or across `length`; the image begins with its row 0.
    size_t first = i;
    while (prompt.patches[first].row != 0 && first > 0) --first;
    return std::min(length, prompt.patches[first].position);
  }
  return length;
}

Prompt slice(const PromptView& from, int64_t begin, int64_t end) {
  Prompt part{{from.tokens.begin() + begin, from.tokens.begin() + end}, {}};
  for (const Patches& p : from.patches) {
    const int64_t first = std::max(p.position, begin), last = std::min(p.position + p.count, end);
    if (first < last) part.patches.push_back({first - begin, last - first, p.row + first - p.position, p.image});
  }
  return part;
}

int64_t shared_prefix(const PromptView& a, const PromptView& b) noexcept {
  const int64_t length = int64_t(std::min(a.tokens.size(), b.tokens.size()));
  size_t in_a = 0, in_b = 0;
  for (int64_t p = 0; p < length; ++p) {
    const FilledBy x = filled_by(a.patches, in_a, p), y = filled_by(b.patches, in_b, p);
    const bool same = x.image && y.image ? x.row == y.row && (x.image == y.image || x.image->id() == y.image->id())
                                         : x.image == y.image;
    if (!same || a.tokens[size_t(p)] != b.tokens[size_t(p)]) return p;
  }
  return length;
}

}  // namespace puna
