#include "text/normalizer.h"

#include <algorithm>

#include "puna/base/error.h"
#include "text/splitters.h"

namespace puna::text {
namespace {

constexpr size_t kGrowth = 16;

// Makes the next text from stretches of the one before, and its marks when there are any.
class Rewriter {
 public:
  Rewriter(std::string_view text, std::string_view marks, const Watch& watch)
      : text_(text), marks_(marks), watch_(watch) {}

  void copy(size_t at, size_t n) {
    watch_.tick(1 + n / 100);
    out.append(text_, at, n);
    if (marks_.empty() || n == 0) return;
    const size_t first = out_marks.size();
    out_marks.append(marks_, at, n);
    take_gap(first);
  }
  void put(std::string_view to, size_t at, size_t n) {  // in place of n bytes
    watch_.tick(1 + to.size() / 100);
    out.append(to);
    if (marks_.empty()) return;
    const char mark = joined_mark(marks_.substr(at, n));
    if (to.empty()) {
      gap_ = gap_ || mark != 0;
      return;
    }
    const size_t first = out_marks.size();
    out_marks.append(to.size(), char(mark & kMarkContent));
    out_marks[first] = mark;
    take_gap(first);
  }

  std::string out, out_marks;

 private:
  void take_gap(size_t first) {
    if (gap_) out_marks[first] = char(out_marks[first] | kMarkGap);
    gap_ = false;
  }

  std::string_view text_, marks_;
  const Watch& watch_;
  bool gap_ = false;
};

// Searched in blocks, so that the watch is looked at in a long text without a match.
size_t find_next(std::string_view text, std::string_view from, size_t at, const Watch& watch) {
  constexpr size_t kBlock = 1 << 14;
  for (; at < text.size(); at += kBlock) {
    const size_t found = text.substr(at, kBlock + from.size() - 1).find(from);
    if (found != std::string_view::npos) return at + found;
    watch.tick(kBlock / 100);
  }
  return std::string_view::npos;
}

void replace(std::string_view text, std::string_view from, std::string_view to, size_t most, const Watch& watch,
             Rewriter& out) {
  out.out.reserve(text.size() + text.size() / 4);
  size_t done = 0;
  for (size_t at; (at = find_next(text, from, done, watch)) != std::string_view::npos && out.out.size() <= most;
       done = at + from.size()) {
    out.copy(done, at - done);
    out.put(to, at, from.size());
  }
  out.copy(done, text.size() - done);
}

void collapse(std::string_view text, Rewriter& out) {
  // SentencePiece cleans the end after it has turned spaces into marks, so marks of the text itself go as well.
  size_t end = text.size();
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view space : {std::string_view(" "), kSpaceMark})
      if (text.substr(0, end).ends_with(space)) end -= space.size(), again = true;
  }
  for (size_t i = 0; i < end; ++i) {
    if (text[i] != ' ' || (!out.out.empty() && out.out.back() != ' '))
      out.copy(i, 1);
    else
      out.put({}, i, 1);
  }
  out.put({}, end, text.size() - end);
}

bool applies(const NormalizerStep& step, const Fragment& fragment, std::string_view text) {
  if (text.empty() || (step.unless_there && text.substr(0, step.to.size()) == step.to)) return false;
  return step.when == NormalizerStep::always || fragment.first ||
         (step.when == NormalizerStep::first_or_after_special && fragment.after_special);
}

// The content of a fragment as marks; "": there is none.
void marks_of(const Fragment& f, std::string& marks) {
  marks.clear();
  for (auto span = first_content(f); span != f.content.end() && span->begin < f.at + f.text.size(); ++span) {
    marks.resize(f.text.size());
    const size_t from = std::max(span->begin, f.at) - f.at, to = std::min(span->end - f.at, f.text.size());
    std::fill(marks.begin() + std::ptrdiff_t(from), marks.begin() + std::ptrdiff_t(to), char(kMarkContent));
  }
}

void spans_of(std::string_view marks, std::vector<TextSpan>& spans) {
  spans.clear();
  for (size_t i = 0; i < marks.size(); ++i) {
    if (marks[i] & kMarkGap && (spans.empty() || spans.back().end < i)) spans.push_back({i, i});
    if (!(marks[i] & kMarkContent)) continue;
    if (spans.empty() || spans.back().end < i) spans.push_back({i, i});
    spans.back().end = i + 1;
  }
}

}  // namespace

char joined_mark(std::string_view marks) noexcept {
  char mark = marks.empty() ? char(0) : marks[0];
  for (size_t i = 1; i < marks.size(); ++i)
    if (marks[i]) mark = char(mark | kMarkContent);
  return mark;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to, size_t most) {
  const Watch watch;
  Rewriter out(text, {}, watch);
  replace(text, from, to, most, watch, out);
  return std::move(out.out);
}

Fragment Normalizer::apply(Fragment f, bool trace, NormalizerScratch& scratch, const Watch& watch) const {
  if (steps_.empty()) return f;
  std::string_view text = f.text;
  scratch.marks.clear();
  if (trace) marks_of(f, scratch.marks);
  const size_t usual = kGrowth * f.text.size(), most = usual + scratch.growth_budget;
  for (const NormalizerStep& step : steps_) {
    Rewriter next(text, scratch.marks, watch);
    const auto form = [&](bool compatible, bool compose) {
      next.out_marks = scratch.marks;
      next.out =
          normal_form(text, compatible, compose, trace && !scratch.marks.empty() ? &next.out_marks : nullptr, watch);
    };
    switch (step.kind) {
      case NormalizerStep::replace:
        if (find_next(text, step.from, 0, watch) == std::string_view::npos) continue;
        replace(text, step.from, step.to, most, watch, next);
        break;
      case NormalizerStep::prepend:
        if (!applies(step, f, text)) continue;
        next.put(step.to, 0, 0);
        next.copy(0, text.size());
        break;
      case NormalizerStep::collapse_spaces: collapse(text, next); break;
      case NormalizerStep::nfc: form(false, true); break;
      case NormalizerStep::nfd: form(false, false); break;
      case NormalizerStep::nfkc: form(true, true); break;
      case NormalizerStep::nfkd: form(true, false); break;
    }
    if (next.out.size() > most)
      fail(Status::bad_file,
           "%s: a text of %zu bytes becomes longer than %zu; a normalizer may make it %zu times as long, and a little "
           "more",
           step.name.c_str(), f.text.size(), most, kGrowth);
    scratch.text.swap(next.out);  // `text` may still point into the old one, now next.out
    scratch.marks.swap(next.out_marks);
    text = scratch.text;
  }
  if (text.size() > usual) scratch.growth_budget -= text.size() - usual;
  spans_of(scratch.marks, scratch.content);
  return {text, f.first, f.after_special, scratch.content, 0};
}

}  // namespace puna::text
