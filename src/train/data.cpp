#include "puna/train/data.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "base/json.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"

namespace puna::train {
namespace {

void append(Sequence& s, const std::vector<int32_t>& ids, bool counted) {
  s.tokens.insert(s.tokens.end(), ids.begin(), ids.end());
  s.counted.insert(s.counted.end(), ids.size(), counted);
}

int64_t counted_in(const Sequence& s) { return s.counted.empty() ? 0 : std::count(s.counted.begin() + 1, s.counted.end(), 1); }

// One line of a file, and what is wrong with it.
struct Line {
  const std::string& name;
  int64_t number;
  [[noreturn]] void refuse(const char* what) const { fail(Status::bad_file, "%s, line %lld: %s", name.c_str(), static_cast<long long>(number), what); }
  std::string text(const Json& object, const char* key) const {
    if (!object.contains(key) || !object[key].is_string()) refuse((std::string("'") + key + "' is missing or no text").c_str());
    return object[key].get<std::string>();
  }
};

// visit(line, object) of every line that is not empty.
template <class Visit>
void each_line(std::string_view lines, const std::string& name, const Watch& watch, DataReport* report, Visit&& visit) {
  int64_t number = 0;
  while (!lines.empty()) {
    watch.tick();
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view text = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const Line line{name, number};
    const std::string place = name + ", line " + std::to_string(number);
    Json object = parse_json(text, place.c_str(), watch);
    const JsonGuard guard(object);
    if (!object.is_object()) line.refuse("expected an object");
    if (report) ++report->lines;
    visit(line, object);
  }
}

// A message of a chat, as text: trees of JSON values are not copied (base/json.h).
struct Message {
  std::string json;
  bool answers;
};
Message answer_message(const std::string& text) { return {"{\"role\":\"assistant\",\"content\":" + quoted(text) + "}", true}; }
std::vector<Message> messages_of(const Line& line, const Json& list) {
  if (!list.is_array() || list.empty()) line.refuse("'messages' is no list of messages");
  std::vector<Message> messages;
  for (const Json& m : list)
    messages.push_back({m.dump(-1, ' ', false, Json::error_handler_t::replace), m.is_object() && m.contains("role") && is_text(m["role"], "assistant")});
  return messages;
}

// A prompt and what follows are encoded apart, as when the model is asked: the first answered token then stands where it will be generated.
class Writer {
 public:
  Writer(const TextCodec& codec, const DataOptions& options, DataReport* report) : codec_(codec), options_(options), report_(report), watch_(codec.watch ? *codec.watch : nobody_) {
    PUNA_REQUIRE(codec.tokenizer != nullptr, "training texts need a tokenizer");
    PUNA_REQUIRE(options.max_tokens >= 2, "max_tokens is %lld, expected at least 2", static_cast<long long>(options.max_tokens));
  }

  void start(Sequence& s) const {
    const Tokenizer::Specials& specials = codec_.tokenizer->specials();
    if (specials.add_bos && specials.bos >= 0) append(s, {specials.bos}, false);
  }
  void put(Sequence& s, std::string_view text, bool special, bool counted) const {
    std::vector<int32_t> ids = codec_.tokenizer->encode(text, special, watch_);
    const int32_t bos = codec_.tokenizer->specials().bos;
    if (s.tokens.size() == 1 && !ids.empty() && ids[0] == bos && s.tokens[0] == bos) ids.erase(ids.begin());  // a rendered chat brings its own
    append(s, ids, counted);
  }
  void end(Sequence& s) const {
    const int32_t eos = codec_.tokenizer->specials().eos;
    if (eos >= 0) append(s, {eos}, true);
  }
  // What the assistant says counts.
  Sequence chat(const Line& line, std::span<const Message> messages) const {
    if (!codec_.render_chat) fail(Status::unsupported, "%s: chats need a model with a chat template", line.name.c_str());
    Sequence s;
    start(s);
    std::string done;
    for (size_t i = 0; i < messages.size(); ++i) {
      if (!messages[i].answers) continue;
      const std::string before = render(messages.first(i), true), after = render(messages.first(i + 1), false);
      if (!before.starts_with(done) || !after.starts_with(before)) line.refuse("the chat template changes what it had said before an answer; use prompt and completion");
      put(s, std::string_view(before).substr(done.size()), true, false);
      put(s, std::string_view(after).substr(before.size()), true, true);
      done = after;
    }
    if (done.empty()) line.refuse("no message is the assistant's");
    return s;
  }
  std::string render(std::span<const Message> messages, bool ask) const {
    std::string variables = "{\"messages\":[";
    for (const Message& m : messages) variables += (&m == messages.data() ? "" : ",") + m.json;
    return codec_.render_chat(variables + "],\"add_generation_prompt\":" + (ask ? "true}" : "false}"));
  }
  // false: too long, to be left out.
  bool fits(const Line& line, const Sequence& s) const {
    if (counted_in(s) == 0) line.refuse("nothing is to be learned: the answer has no tokens");
    if (int64_t(s.tokens.size()) <= options_.max_tokens) return true;
    if (!options_.skip_long) line.refuse("longer than max_tokens");
    if (report_) ++report_->left_out;
    return false;
  }
  void keep(std::vector<Sequence>& to, Sequence s) const {
    if (report_) {
      report_->tokens += int64_t(s.tokens.size());
      report_->counted += counted_in(s);
    }
    to.push_back(std::move(s));
  }
  void text(std::vector<Sequence>& to, std::string_view text) const {
    std::vector<int32_t> ids = codec_.tokenizer->encode(text, false, watch_);
    for (size_t at = 0; at < ids.size();) {
      Sequence s;
      start(s);
      const size_t n = std::min(ids.size() - at, size_t(options_.max_tokens) - s.tokens.size());
      append(s, {ids.begin() + std::ptrdiff_t(at), ids.begin() + std::ptrdiff_t(at + n)}, true);
      at += n;
      if (at == ids.size() && int64_t(s.tokens.size()) < options_.max_tokens) end(s);
      if (s.tokens.size() >= 2) keep(to, std::move(s));
    }
  }

  const Watch& watch() const noexcept { return watch_; }

 private:
  const TextCodec& codec_;
  const DataOptions& options_;
  DataReport* report_;
  const Watch nobody_;
  const Watch& watch_;
};

}  // namespace

void add_text(std::vector<Sequence>& to, const TextCodec& codec, std::string_view text, const DataOptions& options, DataReport* report) {
  Writer(codec, options, report).text(to, text);
}

void add_jsonl(std::vector<Sequence>& to, const TextCodec& codec, std::string_view lines, const std::string& name, const DataOptions& options,
               DataReport* report) {
  const Writer writer(codec, options, report);
  each_line(lines, name, writer.watch(), report, [&](const Line& line, const Json& object) {
    if (object.contains("text")) return writer.text(to, line.text(object, "text"));
    Sequence s;
    if (object.contains("messages")) {
      s = writer.chat(line, messages_of(line, object["messages"]));
    } else {
      writer.start(s);
      writer.put(s, line.text(object, "prompt"), true, false);
      writer.put(s, line.text(object, "completion"), false, true);
      writer.end(s);
    }
    if (writer.fits(line, s)) writer.keep(to, std::move(s));
  });
}

void add_preferences(std::vector<Preference>& to, const TextCodec& codec, std::string_view lines, const std::string& name, const DataOptions& options,
                     DataReport* report) {
  const Writer writer(codec, options, report);
  each_line(lines, name, writer.watch(), report, [&](const Line& line, const Json& object) {
    const auto answer = [&](const char* key) {
      Sequence s;
      if (object.contains("prompt") && object["prompt"].is_array()) {
        std::vector<Message> messages = messages_of(line, object["prompt"]);
        messages.push_back(answer_message(line.text(object, key)));
        s = writer.chat(line, messages);
        // Only the last answer is compared; earlier ones are part of the prompt.
        const std::string before = writer.render(std::span(messages).first(messages.size() - 1), true);
        Sequence prompt;
        writer.start(prompt);
        writer.put(prompt, before, true, false);
        if (prompt.tokens.size() < s.tokens.size()) std::fill(s.counted.begin(), s.counted.begin() + std::ptrdiff_t(prompt.tokens.size()), uint8_t(0));
        return s;
      }
      writer.start(s);
      writer.put(s, line.text(object, "prompt"), true, false);
      writer.put(s, line.text(object, key), false, true);
      writer.end(s);
      return s;
    };
    Preference pair{answer("chosen"), answer("rejected")};
    if (writer.fits(line, pair.chosen) && writer.fits(line, pair.rejected)) to.push_back(std::move(pair));
  });
}

void add_file(std::vector<Sequence>& to, const TextCodec& codec, const std::string& path, const DataOptions& options, DataReport* report) {
  const SourcePtr source = open_path_source(path);
  const std::string_view bytes(reinterpret_cast<const char*>(source->data()), size_t(source->size()));
  if (path.ends_with(".jsonl") || path.ends_with(".json")) add_jsonl(to, codec, bytes, path, options, report);
  else add_text(to, codec, bytes, options, report);
}

std::vector<int64_t> shuffled(int64_t count, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t(0));
  for (int64_t i = count - 1; i > 0; --i) {  // Fisher and Yates; 64 bits modulo i + 1 is even enough
    const Philox bits = philox(seed, uint64_t(i), uint64_t(epoch));
    std::swap(order[size_t(i)], order[size_t((uint64_t(bits.word[0]) << 32 | bits.word[1]) % uint64_t(i + 1))]);
  }
  return order;
}

}  // namespace puna::train
