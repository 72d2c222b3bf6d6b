#include "text/normalizer.h"

#include "text/splitters.h"

namespace puna::text {
namespace {

std::string collapse(std::string_view text) {
  // SentencePiece cleans the end after it has turned spaces into marks, so marks of the text itself go as well.
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view space : {std::string_view(" "), kSpaceMark})
      if (text.ends_with(space)) text.remove_suffix(space.size()), again = true;
  }
  std::string out;
  for (const char c : text)
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  return out;
}

bool applies(const NormalizerStep& step, const Fragment& fragment, std::string_view text) {
  if (text.empty() || (step.unless_there && text.substr(0, step.to.size()) == step.to)) return false;
  return step.when == NormalizerStep::always || fragment.first || (step.when == NormalizerStep::first_or_after_special && fragment.after_special);
}

}  // namespace

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  size_t done = 0;
  for (size_t at; (at = text.find(from, done)) != std::string_view::npos; done = at + from.size()) {
    out.append(text, done, at - done);
    out.append(to);
  }
  return out.append(text, done);
}

std::string_view Normalizer::apply(Fragment fragment, std::string& storage) const {
  std::string_view text = fragment.text;
  for (const NormalizerStep& step : steps_) {
    std::string next;
    switch (step.kind) {
      case NormalizerStep::replace:
        if (text.find(step.from) == std::string_view::npos) continue;
        next = replace_all(text, step.from, step.to);
        break;
      case NormalizerStep::prepend:
        if (!applies(step, fragment, text)) continue;
        next.reserve(step.to.size() + text.size());
        next.append(step.to).append(text);
        break;
      case NormalizerStep::collapse_spaces: next = collapse(text); break;
      case NormalizerStep::nfc: next = normal_form(text, false, true); break;
      case NormalizerStep::nfd: next = normal_form(text, false, false); break;
      case NormalizerStep::nfkc: next = normal_form(text, true, true); break;
      case NormalizerStep::nfkd: next = normal_form(text, true, false); break;
    }
    storage.swap(next);  // `text` may still point into the old storage, now `next`
    text = storage;
  }
  return text;
}

}  // namespace puna::text
