#include "text/formats/json_steps.h"

#include "puna/base/error.h"

namespace puna::text {
namespace {

// Published pipelines have up to a dozen steps. Each costs a pass over a text, and splitters work one inside the other.
constexpr size_t kMostSteps = 256, kMostSplitters = 64;
constexpr size_t kLongestPattern = 1024;

// Calls `step` on the field itself, or on the members of a Sequence.
template <class Step>
void each_step(const JsonField& field, const char* members, size_t& left, const Step& step) {
  if (field.is_null()) return;
  if (field["type"].string() != "Sequence") {
    if (left-- == 0) field.unsupported(("more than " + std::to_string(kMostSteps) + " steps").c_str());
    return step(field);
  }
  const JsonField list = field[members];
  for (size_t i = 0; i < list.size(); ++i) each_step(list[i], members, left, step);
}
template <class Step>
void each_step(const JsonField& field, const char* members, const Step& step) {
  size_t left = kMostSteps;
  each_step(field, members, left, step);
}

// {"String": "..."}; a regular expression is not one.
std::string literal(const JsonField& pattern) {
  const JsonField text = pattern["String"];
  if (text.is_null())
    pattern.unsupported("only a String pattern is implemented here", pattern["Regex"].string("no pattern"));
  if (text.string().empty()) text.expected("at least one character");
  if (text.string().size() > kLongestPattern) text.unsupported("a pattern of more than 1024 bytes");
  return text.string();
}

void read_byte_level(const JsonField& step, TokenizerParts& parts) {
  if (step["add_prefix_space"].boolean(true)) {
    if (!parts.splitters.empty()) step.unsupported("add_prefix_space after another splitter");
    parts.pre_normalizer.add({NormalizerStep::prepend, {}, " ", NormalizerStep::always, true});
  }
  if (step["use_regex"].boolean(true)) parts.splitters.push_back(split_gpt2);
}

void read_split(const JsonField& step, TokenizerParts& parts) {
  const std::string behavior = step["behavior"].string();
  const bool invert = step["invert"].boolean(false);
  if (!step["pattern"]["String"].is_null()) {
    if (literal(step["pattern"]) != " " || behavior != "MergedWithPrevious" || invert)
      step.unsupported("a String pattern is implemented for \" \", MergedWithPrevious, only");
    return parts.splitters.push_back(split_after_spaces);
  }
  const std::string& regex = step["pattern"]["Regex"].string();
  const NextPiece splitter = splitter_for_pattern(regex);
  if (!splitter) step["pattern"].unsupported("not a pattern we know", regex);
  // The patterns match everything, so removing what they do not match removes nothing. Those for digits alone do not.
  const bool digits = regex.starts_with("\\p{N}");
  if ((behavior != "Isolated" || invert) && (behavior != "Removed" || !invert || digits))
    step.unsupported("behavior", behavior);
  parts.splitters.push_back(splitter);
}

void read_metaspace(const JsonField& step, TokenizerParts& parts) {
  if (!parts.splitters.empty()) step.unsupported("Metaspace after another splitter");
  if (step["replacement"].string() != kSpaceMark)
    step["replacement"].unsupported("only U+2581 is implemented", step["replacement"].string());
  const bool prefix = step["add_prefix_space"].boolean(true);  // before 2023 there was no prepend_scheme
  const std::string scheme = step["prepend_scheme"].string(prefix ? "always" : "never");
  parts.pre_normalizer.add({NormalizerStep::replace, " ", std::string(kSpaceMark)});
  if (scheme != "always" && scheme != "first" && scheme != "never")
    step["prepend_scheme"].expected("always, first or never");
  if (scheme != "never")
    parts.pre_normalizer.add({NormalizerStep::prepend,
                              {},
                              std::string(kSpaceMark),
                              scheme == "always" ? NormalizerStep::always : NormalizerStep::first,
                              true});
  if (step["split"].boolean(true)) parts.splitters.push_back(split_marks);
}

}  // namespace

void read_normalizer(const JsonField& normalizer, Normalizer& out) {
  each_step(normalizer, "normalizers", [&](const JsonField& step) {
    const std::string& type = step["type"].string();
    const auto add = [&](NormalizerStep::Kind kind, const std::string& from, const std::string& to) {
      out.add({kind, from, to, NormalizerStep::always, false, step.path() + " (" + type + ")"});
    };
    if (type == "NFC")
      add(NormalizerStep::nfc, {}, {});
    else if (type == "NFD")
      add(NormalizerStep::nfd, {}, {});
    else if (type == "NFKC")
      add(NormalizerStep::nfkc, {}, {});
    else if (type == "NFKD")
      add(NormalizerStep::nfkd, {}, {});
    else if (type == "Prepend")
      add(NormalizerStep::prepend, {}, step["prepend"].string());
    else if (type == "Replace")
      add(NormalizerStep::replace, literal(step["pattern"]), step["content"].string());
    else
      step.unsupported("no such normalizer here", type);
  });
}

bool read_pre_tokenizer(const JsonField& pre_tokenizer, TokenizerParts& parts) {
  bool byte_level = false;
  each_step(pre_tokenizer, "pretokenizers", [&](const JsonField& step) {
    const std::string& type = step["type"].string();
    if (byte_level) step.unsupported("nothing may follow ByteLevel", type);
    if (parts.splitters.size() == kMostSplitters) step.unsupported("more than 64 splitters, one inside the other");
    if (type == "ByteLevel")
      read_byte_level(step, parts), byte_level = true;
    else if (type == "Split")
      read_split(step, parts);
    else if (type == "Digits")
      parts.splitters.push_back(step["individual_digits"].boolean(false) ? split_digits : split_digit_runs);
    else if (type == "Metaspace")
      read_metaspace(step, parts);
    else
      step.unsupported("no such pre-tokenizer here", type);
  });
  return byte_level;
}

JsonDecoder read_decoder(const JsonField& decoder) {
  JsonDecoder d;
  each_step(decoder, "decoders", [&](const JsonField& step) {
    const std::string& type = step["type"].string();
    if (type == "ByteLevel")
      d.byte_level = true;
    else if (type == "ByteFallback")
      d.byte_fallback = true;
    else if (type == "Fuse")
      d.fused = true;
    else if (type == "Replace") {
      if (d.fused) step.unsupported("Replace after Fuse");
      d.replacements.push_back({literal(step["pattern"]), step["content"].string(), step.path()});
    } else if (type == "Metaspace") {
      d.replacements.push_back({std::string(kSpaceMark), " ", step.path()});
      const bool prefix = step["add_prefix_space"].boolean(true);
      if (step["prepend_scheme"].string(prefix ? "always" : "never") != "never")
        d.first_space = Tokenizer::FirstSpace::drop_all_of_first_token;
    } else if (type == "Strip") {
      const int64_t start = step["start"].integer(0, INT32_MAX), stop = step["stop"].integer(0, INT32_MAX);
      if (!d.fused || step["content"].string() != " " || start > 1 || stop > 0)
        step.unsupported("Strip is implemented for one space at the start, after Fuse");
      if (start == 1) d.first_space = Tokenizer::FirstSpace::drop_one;
    } else {
      step.unsupported("no such decoder here", type);
    }
  });
  return d;
}

std::string JsonDecoder::spoken(std::string_view piece, size_t& growth_budget, const Watch& watch) const {
  constexpr size_t kGrowth = 16;
  const size_t usual = kGrowth * piece.size(), most = usual + growth_budget;
  std::string text(piece);
  for (const Replacement& r : replacements) {
    watch.tick(1 + text.size() / 100);
    if (text.find(r.from) == std::string::npos) continue;
    text = replace_all(text, r.from, r.to, most);
    if (text.size() > most)
      fail(Status::bad_file,
           "%s: the token '%.64s' becomes longer than %zu bytes; a decoder may make tokens %zu times as long, and 4 "
           "KiB in all",
           r.name.c_str(), std::string(piece.substr(0, 64)).c_str(), most, kGrowth);
  }
  if (text.size() > usual) growth_budget -= text.size() - usual;
  return text;
}

}  // namespace puna::text
