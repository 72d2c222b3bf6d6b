// puna grammar: whether a grammar compiles, what it lets through, and what that costs with a model's vocabulary.
#include <algorithm>
#include <optional>

#include "common.h"
#include "grammars.h"
#include "interrupt.h"
#include "puna/base/error.h"
#include "puna/grammar/matcher.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct CheckFlags {
  std::string file, tokenizer, kind, text;
  bool stats = false;
};

bool takes(Matcher& matcher, std::string_view bytes) {
  try {
    matcher.accept_bytes(bytes);
    return true;
  } catch (const Error& e) {
    if (e.status() != Status::invalid_argument) throw;
    return false;
  }
}

std::string byte_name(int byte) {
  if (byte > 0x20 && byte < 0x7f) return std::string("'") + char(byte) + "'";
  char name[8];
  snprintf(name, sizeof name, "0x%02X", unsigned(byte));
  return byte == ' ' ? "a space" : byte == '\n' ? "a line break" : name;
}

// "'a' to 'z', '"', the end": the bytes that may come next.
std::string what_may_come(const Matcher& matcher) {
  std::string list;
  const auto add = [&](const std::string& item) { list += (list.empty() ? "" : ", ") + item; };
  int first = -1;
  for (int byte = 0; byte <= 256; ++byte) {
    Matcher next = matcher;
    const char c = char(byte);
    const bool may = byte < 256 && takes(next, {&c, 1});
    if (may && first < 0) first = byte;
    if (may || first < 0) continue;
    const int last = byte - 1;
    if (last > first + 1) {
      add(byte_name(first) + " to " + byte_name(last));
    } else {
      add(byte_name(first));
      if (last > first) add(byte_name(last));
    }
    first = -1;
  }
  if (matcher.accepting()) add("the end");
  return list.empty() ? "a special token" : list;
}

// Bytes of `text` that the grammar goes along with.
size_t accepted_bytes(Matcher& matcher, std::string_view text) {
  size_t n = 0;
  while (n < text.size() && takes(matcher, text.substr(n, 1))) ++n;
  return n;
}

// Prints what becomes of the text; false: it is no answer.
bool check_text(const Matcher& start, const std::string& text) {
  Matcher matcher = start;
  const size_t n = accepted_bytes(matcher, text);
  if (n == text.size() && matcher.accepting()) {
    print("accepted\n");
    return true;
  }
  const std::string before = printable(text.substr(n > 20 ? n - 20 : 0, std::min(n, size_t(20))));
  if (n < text.size())
    print_format("refused at byte %zu: %s comes after \"%s\"\n", n, byte_name(uint8_t(text[n])).c_str(),
                 before.c_str());
  else
    print_format("incomplete: more has to come after \"%s\"\n", before.c_str());
  print_format("could come there: %s\n", what_may_come(matcher).c_str());
  if (!matcher.accepting())
    print_format("shortest completion: \"%s\"\n", printable(matcher.shortest_completion()).c_str());
  return false;
}

// Microseconds of each mask along the tokens of a text, as far as the grammar goes along.
std::vector<double> mask_times(const Matcher& start, std::span<const int32_t> tokens) {
  Matcher matcher = start;
  std::vector<double> times;
  for (size_t i = 0;; ++i) {
    const double before = seconds_now();
    (void)matcher.mask();
    times.push_back((seconds_now() - before) * 1e6);
    if (i == tokens.size() || matcher.ended() || !matcher.allows(tokens[i])) break;
    matcher.accept(tokens[i]);
  }
  std::sort(times.begin(), times.end());
  return times;
}

void print_times(const char* what, const std::vector<double>& times) {
  double sum = 0;
  for (const double t : times) sum += t;
  print_format("masks, %s: %zu, mean %.1f us, median %.1f us, longest %.1f us\n", what, times.size(),
               sum / double(times.size()), times[times.size() / 2], times.back());
}

void run_grammar(const CheckFlags& f, bool with_text) {
  const std::string kind = !f.kind.empty() ? f.kind : grammar_kind_of(f.file);
  if (kind.empty())
    fail(Status::invalid_argument, "%s: the name does not say what kind of grammar it is: --kind does", f.file.c_str());
  const double start = seconds_now();
  const GrammarPtr grammar = compile_grammar(kind, read_grammar(kind, f.file));
  const double compiled = seconds_now();
  print_format("compiles as %s\n", kind.c_str());
  const TokenizerPtr tokenizer = stoppable([&](const Watch& watch) { return open_tokenizer(f.tokenizer, watch); });
  const double opened = seconds_now();
  const GrammarVocabularyPtr vocabulary =
      stoppable([&](const Watch& watch) { return grammar_vocabulary(tokenizer, size_t(64) << 20, watch); });
  const double indexed = seconds_now();
  const Matcher matcher(grammar, vocabulary);
  const bool accepted = !with_text || check_text(matcher, f.text);
  if (f.stats) {
    print_format("compiled in %.2f ms; vocabulary of %d tokens indexed in %.2f ms\n", (compiled - start) * 1e3,
                 tokenizer->size(), (indexed - opened) * 1e3);
    const std::vector<int32_t> tokens = tokenizer->encode(f.text, false);
    print_times("met first", mask_times(matcher, tokens));
    print_times("met again", mask_times(matcher, tokens));
  }
  if (!accepted) fail(Status::invalid_argument, "the text is no answer by %s", f.file.c_str());
}

}  // namespace

void add_grammar(CLI::App& app) {
  const auto f = std::make_shared<CheckFlags>();
  const Verb verb(app, "grammar", "Check a grammar of answers: does it compile, and what does it let through");
  verb.option("FILE", f->file, "a JSON Schema (.json), GBNF (.gbnf), EBNF (.ebnf), or --kind; - is standard input")
      .required();
  verb.option("--tokenizer", f->tokenizer, "a GGUF file, a Hugging Face folder, a tokenizer.json or a tokenizer.model")
      .required();
  verb.option("--kind", f->kind, "json-schema, regex, gbnf, ebnf or choices (a JSON list) (default: by FILE's ending)");
  const Option text =
      verb.option("--accept", f->text, "say whether this text is an answer, or where it stops to be one");
  verb.flag("--stats", f->stats, "times of compiling, and of the masks along the text's tokens");
  verb.run([f, text] { run_grammar(*f, text.given()); });
}

}  // namespace puna::cli
