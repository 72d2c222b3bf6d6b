#include "train/sequence_writer.h"

#include <algorithm>

#include "io/json_parts.h"
#include "puna/chat/dropped_fields.h"
#include "train/counted.h"

namespace puna::train {

using namespace io;  // rows of JSON and their parts
namespace {

void append(Sequence& s, const std::vector<int32_t>& ids, bool counted) {
  s.tokens.insert(s.tokens.end(), ids.begin(), ids.end());
  s.counted.insert(s.counted.end(), ids.size(), counted);
}

// A name of a special token in a text that is not read for them: "<|im_start|>", "[INST]", "<s>". Empty: none.
std::string_view special_in(std::string_view text, const Tokenizer& tokenizer, const Watch& watch) {
  constexpr size_t kLongestName = 64;
  for (size_t at = 0; (at = text.find_first_of("<[", at)) != text.npos; ++at) {
    watch.tick();
    const std::string_view rest = text.substr(at, kLongestName);
    const size_t end = rest.find(rest[0] == '<' ? '>' : ']');
    if (end == rest.npos) continue;
    const int32_t id = tokenizer.find(rest.substr(0, end + 1));
    if (id >= 0 && tokenizer.is_special(id)) return rest.substr(0, end + 1);
  }
  return {};
}

}  // namespace

SequenceWriter::SequenceWriter(const TextCodec& codec, const DataOptions& options, DataReport* report)
    : codec_(codec),
      options_(options),
      report_(report),
      watch_(codec.watch ? *codec.watch : nobody_),
      chat_text_(codec, options) {
  PUNA_REQUIRE(codec.tokenizer != nullptr, "training texts need a tokenizer");
  PUNA_REQUIRE(options.max_tokens >= 2, "max_tokens is %jd, expected at least 2", options.max_tokens);
}

void SequenceWriter::start(Sequence& s) const {
  const int32_t first = codec_.tokenizer->specials().first();
  if (first >= 0) append(s, {first}, false);
}

void SequenceWriter::end(Sequence& s) const {
  const int32_t eos = codec_.tokenizer->specials().eos;
  if (eos >= 0) append(s, {eos}, true);
}

void SequenceWriter::put(Sequence& s, std::string_view text, bool special, bool counted) const {
  std::vector<int32_t> ids = codec_.tokenizer->encode(text, special || options_.parse_content, watch_);
  const int32_t first = codec_.tokenizer->specials().first();
  if (s.tokens.size() == 1 && !ids.empty() && ids[0] == first && s.tokens[0] == first)
    ids.erase(ids.begin());  // the text brings its own
  append(s, ids, counted);
}

void SequenceWriter::put(Sequence& s, const RenderedChat& chat, bool counted) const {
  append(s,
         options_.parse_content ? codec_.tokenizer->encode(chat.text, true, watch_)
                                : codec_.tokenizer->encode_chat(chat, watch_),
         counted);
}

void SequenceWriter::text(std::vector<Sequence>& to, std::string_view text, const std::string& place) {
  report_specials(place, text);
  const std::vector<int32_t> ids = codec_.tokenizer->encode(text, options_.parse_content, watch_);
  if (ids.empty()) report("rows without text are left out", place);
  for (size_t at = 0; at < ids.size();) {
    watch_.tick();
    Sequence s;
    start(s);
    const size_t n = std::min(ids.size() - at, size_t(options_.max_tokens) - s.tokens.size());
    append(s, {ids.begin() + std::ptrdiff_t(at), ids.begin() + std::ptrdiff_t(at + n)}, true);
    at += n;
    if (at == ids.size() && int64_t(s.tokens.size()) < options_.max_tokens) end(s);
    if (s.tokens.size() < 2) continue;
    keep(s);
    to.push_back(std::move(s));
  }
}

Sequence SequenceWriter::answer(const Place& place, const Example& e) {
  if (e.kind == Example::Kind::chat) return chat(place, e.chat);
  if (e.answer.empty()) place.refuse("nothing is to be learned: the answer is empty");
  Sequence s;
  start(s);
  put(s, e.text, !e.own_prompt, false);
  put(s, e.answer, false, true);
  end(s);
  if (e.own_prompt) report_specials(place.text(), e.text);
  report_specials(place.text(), e.answer);
  return s;
}

// The text is the chat's, and nothing is put in front of it: so the model is asked, here and elsewhere.
Sequence SequenceWriter::chat(const Place& place, const Chat& chat) {
  const auto is_last =
      std::find_if(chat.messages.rbegin(), chat.messages.rend(), [](const Message& m) { return m.learn; });
  if (is_last == chat.messages.rend()) {
    const bool answers =
        std::any_of(chat.messages.begin(), chat.messages.end(), [](const Message& m) { return m.answers; });
    place.refuse(answers ? "nothing is to be learned: every message of the assistant's has weight 0"
                         : "no message is the assistant's: there is nothing to learn");
  }
  if (!chat.messages.back().answers) report("messages behind the last answer are not used", place.text());
  Sequence s;
  RenderedChat done;
  for (size_t i = 0; i < chat.messages.size(); ++i) {
    if (!chat.messages[i].learn) continue;
    if (is_surely_too_long(chat, i + 1)) {
      s.tokens.resize(size_t(options_.max_tokens) + 1);  // fits() says the rest
      s.counted.assign(s.tokens.size(), 1);
      return s;
    }
    const std::string variables = chat.json(i + 1, false);
    const RenderedChat before = chat_text_.render(place, chat.json(i, true), chat.date),
                       after = chat_text_.render(place, variables, chat.date);
    if (!before.text.starts_with(done.text) || !after.text.starts_with(before.text))
      place.refuse("the chat template changes what it had said before an answer; use prompt and completion");
    put(s, part_of(before, done.text.size(), before.text.size()), false);
    put(s, part_of(after, before.text.size(), after.text.size()), true);
    done = after;
    if (&chat.messages[i] == &*is_last) report_dropped(place, chat, variables, after);
    if (int64_t(s.tokens.size()) > options_.max_tokens) return s;
  }
  if (!options_.parse_content)
    for (const TextSpan& span : done.content)
      report_specials(place.text(), std::string_view(done.text).substr(span.begin, span.end - span.begin));
  return s;
}

// Too long whatever its text: a token covers so many bytes at most. (JSON may be longer than its text,
// by less than this factor.) A chat of a hundred megabytes is left out without being written several times.
bool SequenceWriter::is_surely_too_long(const Chat& chat, size_t count) {
  constexpr size_t kJsonOverhead = 64;
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) bytes += chat.messages[i].json.size();
  if (bytes / kJsonOverhead < size_t(options_.max_tokens)) return false;
  if (longest_token_ == 0)
    for (int32_t id = 0; id < codec_.tokenizer->size(); ++id)
      longest_token_ = std::max(longest_token_, codec_.tokenizer->bytes(id).size());
  return bytes / kJsonOverhead / std::max<size_t>(longest_token_, 1) > size_t(options_.max_tokens);
}

bool SequenceWriter::fits(const Place& place, const Sequence& s) {
  if (counted_tokens(s) == 0) place.refuse("nothing is to be learned: the answer has no tokens");
  if (int64_t(s.tokens.size()) <= options_.max_tokens) return true;
  if (!options_.skip_long) place.refuse("longer than max_tokens (%jd)", options_.max_tokens);
  if (report_) ++report_->left_out;
  return false;
}

void SequenceWriter::keep(const Sequence& s) {
  if (!report_) return;
  report_->tokens += int64_t(s.tokens.size());
  report_->counted += counted_tokens(s);
}

void SequenceWriter::report_dropped(const Place& place, const Chat& chat, const std::string& variables,
                                    const RenderedChat& text) const {
  if (!report_) return;
  for (const std::string& field : dropped_fields(variables, text, watch_)) {
    std::string what = field;
    if ((field == "tools" || field == "documents") && !chat_text_.reads(field)) continue;  // reported already
    if (field.starts_with("messages[")) {
      const size_t index = size_t(std::stoull(field.substr(9)));
      const std::string key = field.substr(field.find("].") + 2);
      const std::string_view role = member(chat.messages[index].json, "role", watch_);
      what = key == "content" ? "messages of the role " + (is_string(role) ? text_of(role, watch_) : std::string("?"))
                              : "'" + key + "' of messages";
    }
    report("the chat template does not write " + what, place.text());
  }
}

void SequenceWriter::report_specials(const std::string& place, std::string_view text) const {
  if (!report_ || options_.parse_content) return;
  const std::string_view name = special_in(text, *codec_.tokenizer, watch_);
  if (!name.empty())
    report("texts name special tokens such as " + std::string(name) +
               ": they are learned as plain text (--parse-content, parse_content: as tokens)",
           place);
}

}  // namespace puna::train
