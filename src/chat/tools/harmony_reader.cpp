// harmony_reader.cpp -- answers of gpt-oss, which are messages (OpenAI's harmony format). The prompt ends with
// "<|start|>assistant"; what follows is
//   answer   message (<|end|><|start|>assistant message)* (<|return|> or <|call|>)
//   message  [" to=" recipient] <|channel|> channel [" to=" recipient] [" " <|constrain|> type] <|message|> text
// Marks may come as special tokens or as text. A message to "functions.f", f a tool, is a call whose text is its
// arguments; one on the channel "analysis" is a thought; all others are text.
#include <algorithm>
#include <optional>

#include "chat/tools/answer_events.h"
#include "chat/tools/answer_reader.h"
#include "chat/tools/call_scan.h"

namespace puna::tools {
namespace {

constexpr std::string_view kStartMark = "<|start|>", kChannelMark = "<|channel|>", kConstrainMark = "<|constrain|>",
                           kMessageMark = "<|message|>", kEndMark = "<|end|>", kReturnMark = "<|return|>",
                           kCallMark = "<|call|>";
constexpr std::string_view kHeaderMarks[] = {kStartMark, kChannelMark, kConstrainMark, kMessageMark,
                                             kEndMark,   kReturnMark,  kCallMark};
constexpr std::string_view kTo = "to=", kFunctions = "functions.";
constexpr size_t kMostHeader = 256;  // bytes; what is longer is text

class HarmonyReader final : public AnswerReader {
 public:
  HarmonyReader(const Tools& tools, const ToolCallParser::Options& options) : names_(tools), options_(options) {}

  void push(std::string_view text, Sink sink) override {
    events_.to(&sink);
    for (const char c : text) {
      ++at_;
      pending_ += c;
      drain(false);
    }
    settle();
    events_.to(nullptr);
  }

  void push_special(std::string_view name, Sink sink) override {
    events_.to(&sink);
    drain(true);
    if (std::find(std::begin(kHeaderMarks), std::end(kHeaderMarks), name) != std::end(kHeaderMarks)) mark(name, "");
    settle();
    events_.to(nullptr);
  }

  void finish(Sink sink) override {
    events_.to(&sink);
    drain(true);
    end_part();
    events_.tell_said();
    *this = HarmonyReader(std::move(names_), options_);
  }

  size_t calls() const noexcept override { return events_.calls(); }

 private:
  HarmonyReader(ToolNames&& names, const ToolCallParser::Options& options)
      : names_(std::move(names)), options_(options) {}

  enum class Part : uint8_t {
    header,
    text,
    thought,
    call,    // within a call's arguments
    behind,  // them
  };

  uint64_t position() const noexcept { return at_ - pending_.size(); }  // of the first byte that is not taken

  // ---- bytes and marks ----

  void drain(bool all) {  // of what may become a mark, only `all` takes it
    while (!pending_.empty()) {
      if (part_ == Part::call) {  // whose strings may say anything
        if (call_byte(pending_[0])) pending_.erase(0, 1);
        continue;
      }
      bool partly = false;
      std::string_view whole;
      for (const std::string_view m : kHeaderMarks) {
        if (m == pending_) whole = m;
        partly = partly || (m.size() > pending_.size() && m.starts_with(pending_));
      }
      if (!whole.empty()) {
        const std::string raw = std::exchange(pending_, {});
        mark(whole, raw);
      } else if (partly && !all) {
        return;
      } else {
        const char c = pending_[0];
        byte(c);
        pending_.erase(0, 1);
      }
    }
  }

  // `raw`: what of it was pushed, which is nothing of a special token.
  void mark(std::string_view name, std::string_view raw) {
    if (part_ == Part::header && (name == kChannelMark || name == kConstrainMark)) {
      hold(raw);
      header_ += ' ';
      header_ += name;
      header_ += ' ';
      opened_ = true;
      return;
    }
    if (part_ == Part::header && name == kMessageMark) {
      hold(raw);
      return begin_message();
    }
    if (name == kConstrainMark || name == kMessageMark) return;  // within a message they mean nothing
    end_part();
    part_ = Part::header;
    opened_ = name == kStartMark || name == kChannelMark;
    hold(raw);
    if (name == kChannelMark) header_ = std::string(kChannelMark) + " ";
    if (!opened_) raw_.clear();
  }

  void byte(char c) {
    if (part_ == Part::header) return header_byte(c);
    if (part_ == Part::behind) {
      if (is_json_blank(c)) return;
      part_ = Part::text;
    }
    say(std::string_view(&c, 1), position(), part_ == Part::thought ? ToolEvent::Kind::thought : ToolEvent::Kind::text);
  }

  // ---- headers ----

  void hold(std::string_view bytes) {
    if (raw_.empty() && header_.empty()) header_from_ = position() - bytes.size();
    raw_ += bytes;
  }

  void header_byte(char c) {
    if (raw_.empty() && header_.empty()) header_from_ = position();
    raw_ += c;
    header_ += c;
    // Without a mark in front, only a recipient can begin one; an answer that has no header is text.
    const size_t from = header_.find_first_not_of(" \n");
    const std::string_view word = from == header_.npos ? std::string_view() : std::string_view(header_).substr(from);
    const bool recipient = kTo.starts_with(word.substr(0, kTo.size()));
    if ((!opened_ && !recipient) || raw_.size() > kMostHeader) no_header();
  }

  void no_header() {
    part_ = Part::text;
    const std::string text = std::exchange(raw_, {});
    header_.clear();
    say(text, header_from_, ToolEvent::Kind::text);
  }

  // The word behind `front` in the header, "" when there is none.
  std::string_view word_behind(std::string_view front) const {
    const size_t at = header_.find(front);
    if (at == header_.npos) return {};
    std::string_view rest = std::string_view(header_).substr(at + front.size());
    if (front == kChannelMark) rest.remove_prefix(std::min(rest.find_first_not_of(" \n"), rest.size()));
    return rest.substr(0, rest.find_first_of(" \n<"));
  }

  void begin_message() {
    std::string_view to = word_behind(kTo);
    const bool function = to.starts_with(kFunctions);
    if (function) to.remove_prefix(kFunctions.size());
    if (function && names_.has(to)) {
      part_ = Part::call;
      name_ = to;
      json_ = JsonScan();
      arguments_.clear();
      sent_ = 0;
      told_ = false;
    } else {
      part_ = options_.thoughts && word_behind(kChannelMark) == "analysis" ? Part::thought : Part::text;
    }
    raw_.clear();
    header_.clear();
  }

  // ---- calls ----

  bool call_byte(char c) {  // false: the call was over before it
    const bool before = arguments_.empty();
    if (before && is_json_blank(c)) return true;
    const bool fine = (!before || c == '{') && json_.step(c) != JsonScan::Event::bad;
    if (before) arguments_from_ = position();
    if (!fine) {
      broken();
      return false;
    }
    arguments_ += c;
    if (arguments_.size() > options_.most_held) {
      broken();
      return true;
    }
    if (options_.early && !told_) tell_begin();
    if (json_.depth() > 0) return true;
    if (!told_) tell_begin();
    tell_arguments();
    tell_end(true, position() + 1);
    part_ = Part::behind;
    return true;
  }

  // It is none: what has come of it is text, unless it has been told.
  void broken() {
    part_ = Part::text;
    if (told_) {
      tell_arguments();
      tell_end(false, std::max(position(), header_from_ + 1));
    } else if (!arguments_.empty()) {
      say(arguments_, arguments_from_, ToolEvent::Kind::text);
    }
    arguments_.clear();
  }

  // A message, or a header, ends here.
  void end_part() {
    if (part_ == Part::call) broken();
    if (part_ == Part::header && !opened_ && !raw_.empty()) no_header();
    raw_.clear();
    header_.clear();
  }

  // ---- events ----

  void say(std::string_view text, uint64_t from, ToolEvent::Kind kind) {
    if (text.empty()) return;
    events_.say(text, from, kind);
  }

  void tell_begin() {
    events_.tell_said();
    told_ = true;
    events_.call_begins(name_);
  }

  void tell_arguments() {
    events_.arguments(std::string_view(arguments_).substr(sent_));
    sent_ = arguments_.size();
  }

  void tell_end(bool complete, uint64_t behind) {
    told_ = false;
    events_.call_ends(complete, header_from_, behind);
  }

  void settle() {  // all that is known by now is told
    events_.tell_said();
    if (part_ == Part::call && told_) tell_arguments();
  }

  ToolNames names_;
  ToolCallParser::Options options_;
  Part part_ = Part::header;
  std::string pending_;  // may become a mark
  std::string header_;   // of the message, its marks by name
  std::string raw_;      // what of it was pushed
  bool opened_ = false;  // it began with a mark
  uint64_t at_ = 0, header_from_ = 0;
  std::string name_, arguments_;  // of a call
  uint64_t arguments_from_ = 0;
  size_t sent_ = 0;    // bytes of its arguments
  bool told_ = false;  // its beginning
  JsonScan json_;
  AnswerEvents events_;
};

}  // namespace

std::unique_ptr<AnswerReader> harmony_reader(const Tools& tools, const ToolCallParser::Options& options) {
  return std::make_unique<HarmonyReader>(tools, options);
}

}  // namespace puna::tools
