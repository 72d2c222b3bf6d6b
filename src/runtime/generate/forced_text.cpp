#include "runtime/generate/forced_text.h"

#include <algorithm>

#include "puna/base/error.h"

namespace puna {
namespace {

constexpr size_t kMostBytes = 256;  // of forced text that is looked for

// A limit of the grammar's that this look ahead runs into is no error of the answer: then there is no draft.
std::string forced_text(Matcher& matcher) {
  try {
    return matcher.forced(kMostBytes);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

bool ForcedText::propose(const DraftRequest& request, Draft& draft, FunctionRef<bool()>) {
  const std::string text = forced_text(matcher_);
  if (text.empty()) return true;
  const std::vector<int32_t> ids = tokenizer_.encode(text, false);
  // The last token may be the beginning of a longer one, which what follows decides.
  const auto certain = int64_t(ids.size()) - (ids.size() > 1 ? 1 : 0);
  // The text is certain, so it need not earn its rows first.
  const int64_t length = length_.best(std::min(request.most, certain), double(certain));
  if (length == 0) length_.passed_over();
  draft.tokens.assign(ids.begin(), ids.begin() + length);
  return true;
}

}  // namespace puna
