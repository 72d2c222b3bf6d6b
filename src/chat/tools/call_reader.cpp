// call_reader.cpp -- answers in which calls follow openers, or are bare: which bytes go to a CallScan, what is held
// back meanwhile, thoughts before the answer, and the events.
#include <algorithm>
#include <array>
#include <optional>

#include "base/utf8.h"
#include "chat/tools/answer_events.h"
#include "chat/tools/answer_reader.h"
#include "chat/tools/call_scan.h"
#include "chat/tools/thoughts.h"

namespace puna::tools {
namespace {

constexpr std::string_view kCodeTool = "code_interpreter";

class CallReader final : public AnswerReader {
 public:
  CallReader(const Tools& tools, const ToolFormat& format, const ToolCallParser::Options& options)
      : names_(tools), format_(format), options_(options), has_tools_(!tools.empty()) {
    if (has_tools_) {
      for (const Opener& o : format.openers) starts_[uint8_t(o.text[0])] = true;
      for (const char c : {'{', '['}) starts_[uint8_t(c)] = starts_[uint8_t(c)] || CallScan::can_begin(c, format.bare);
      bare_ = format.bare;
    }
    begin_answer();
  }

  void push(std::string_view text, Sink sink) override {
    events_.to(&sink);
    while (!text.empty()) {
      if (state_ == State::text && pending_.empty() && held_.empty() && !at_start_) {  // most of all text
        size_t n = 0;
        while (n < text.size() && !starts_[uint8_t(text[n])]) ++n;
        say(text.substr(0, n), at_);
        at_ += n;
        text.remove_prefix(n);
        if (text.empty()) break;
      }
      ++at_;
      pending_ += text[0];
      text.remove_prefix(1);
      drain(false);
    }
    settle();
    events_.to(nullptr);
  }

  void push_special(std::string_view name, Sink sink) override {
    events_.to(&sink);
    drain(true);
    if (begins_mark(name)) {  // the rest of the mark is text
      pending_ = name;
      unheard_ = name.size();
    } else {
      special(name);
    }
    settle();
    events_.to(nullptr);
  }

  void finish(Sink sink) override {
    events_.to(&sink);
    drain(true);
    end_scan();
    if (state_ == State::text || state_ == State::opened) release();
    events_.tell_said();
    begin_answer();
    at_ = 0;
    events_.restart_calls();
    events_.to(nullptr);
  }

  size_t calls() const noexcept override { return events_.calls(); }

 private:
  enum class State : uint8_t {
    thought,  // what the model thinks, before it answers
    text,
    opened,  // behind an opener
    scan,    // within what may be a call
    behind,  // behind a call
    code,    // within the code of a call of code_interpreter
  };

  void begin_answer() {
    begin();
    skip_blanks_ = false;
    if (options_.thoughts && options_.begins_in_thought) begin_thought();
  }

  void begin() {
    state_ = State::text;
    held_.clear();
    told_ = false;
    code_follows_ = false;
    at_start_ = has_tools_ || options_.thoughts;
    notations_ = bare_ & kPythonList ? bare_ | kPythonCall : bare_;  // a call without brackets only begins an answer
    name_end_ = {};
  }

  // Of the first byte that is not taken.
  uint64_t position() const noexcept { return at_ - (pending_.size() - unheard_); }

  // ---- bytes ----

  // Takes what is pending; of a text that may become an opener or a closer, only `all` takes it.
  void drain(bool all) {
    while (!pending_.empty()) {
      if (state_ == State::scan) {
        if (scan_byte(pending_[0])) pending_.erase(0, 1);
        continue;
      }
      bool partly = false;
      const std::string_view mark = find_mark(pending_, partly);
      if (!mark.empty()) {
        if (state_ == State::code)
          end_code();
        else if (!closes(mark) && !opens_thought(mark) && !closes_thought(mark))
          hold(pending_);
        pending_.clear();
        unheard_ = 0;
        passed_mark(mark);
      } else if (partly && !all) {
        return;
      } else if (unheard_ > 0) {  // of a special token, which is never text
        pending_.erase(0, std::exchange(unheard_, 0));
      } else {
        byte(pending_[0]);
        pending_.erase(0, 1);
      }
    }
  }

  // The opener or closer that `text` is, or is a beginning of.
  std::string_view find_mark(std::string_view text, bool& partly) const noexcept {
    const auto is = [&](std::string_view mark) {
      partly = partly || (mark.size() > text.size() && mark.starts_with(text));
      return mark == text;
    };
    if (options_.thoughts && state_ == State::text && at_start_)
      for (const ThoughtMarks& t : kThoughts)
        if (is(t.open)) return t.open;
    if (state_ == State::thought)
      for (const ThoughtMarks& t : kThoughts)
        if (is(t.close)) return t.close;
    if (!has_tools_ || state_ == State::thought) return {};
    if (state_ != State::code)
      for (const Opener& o : format_.openers)
        if (is(o.text)) return o.text;
    if (state_ == State::behind || state_ == State::code)
      for (const std::string_view closer : format_.closers)
        if (is(closer)) return closer;
    return {};
  }

  // Is a special token the front of a mark, of which the rest is text?
  bool begins_mark(std::string_view name) const noexcept {
    if (!options_.thoughts || state_ != State::text || !at_start_) return false;
    return std::any_of(std::begin(kThoughts), std::end(kThoughts),
                       [&](const ThoughtMarks& t) { return t.open.size() > name.size() && t.open.starts_with(name); });
  }

  bool opens_thought(std::string_view mark) const noexcept {
    return options_.thoughts && state_ == State::text && at_start_ &&
           std::any_of(std::begin(kThoughts), std::end(kThoughts), [&](auto& t) { return t.open == mark; });
  }
  bool closes_thought(std::string_view mark) const noexcept {
    return state_ == State::thought &&
           std::any_of(std::begin(kThoughts), std::end(kThoughts), [&](auto& t) { return t.close == mark; });
  }

  void begin_thought() {
    held_.clear();  // white space in front of it
    state_ = State::thought;
    skip_blanks_ = true;
  }
  void end_thought() {
    held_.clear();  // white space at its end
    begin();
    skip_blanks_ = true;
  }

  bool closes(std::string_view mark) const noexcept {
    return state_ == State::behind && std::count(format_.closers.begin(), format_.closers.end(), mark) > 0;
  }

  void passed_mark(std::string_view mark) {
    skip_blanks_ = false;  // behind a mark they may turn out to be text
    if (closes_thought(mark)) return end_thought();
    if (opens_thought(mark)) return begin_thought();
    if (closes(mark)) return held_.clear();
    for (const Opener& o : format_.openers)
      if (o.text == mark) {
        state_ = State::opened;
        notations_ = o.notations;
        name_end_ = o.name_end;
        code_follows_ = o.code && names_.has(kCodeTool);
        code_from_ = held_.size();
      }
  }

  // A byte outside of a scan.
  void byte(char c) {
    if (state_ == State::code) return code_byte(c);
    const bool blank = is_json_blank(c);
    if (blank && skip_blanks_) return;
    skip_blanks_ = false;
    if (state_ == State::thought) return thought_byte(c, blank);
    const bool held = state_ == State::text     ? blank && at_start_
                      : state_ == State::opened ? blank
                                                : blank || c == ';' || c == ',';
    if (held && held_.size() < options_.most_held) return hold(std::string_view(&c, 1));
    if (!held && has_tools_ && CallScan::can_begin(c, notations_)) {
      scan_.emplace(names_, notations_, name_end_);
      state_ = State::scan;
      if (scan_byte(c)) return;  // else it is text, and what may begin there is seen with the next byte
    }
    if (state_ == State::opened && code_follows_) {
      begin_code();
      return code_byte(c);
    }
    if (state_ == State::code) return code_byte(c);
    no_call();
    say(std::string_view(&c, 1), position());
  }

  // White space at its end belongs to its mark.
  void thought_byte(char c, bool blank) {
    if (blank && held_.size() < options_.most_held) return hold(std::string_view(&c, 1));
    if (!held_.empty()) {
      say(held_, held_from_, ToolEvent::Kind::thought);
      held_.clear();
    }
    say(std::string_view(&c, 1), position(), ToolEvent::Kind::thought);
  }

  bool scan_byte(char c) {
    const CallScan::Step step = scan_->step(c);
    if (step == CallScan::Step::bad) {
      if (told_) tell_broken(position());
      if (code_follows_)
        begin_code();
      else
        no_call();
      return false;
    }
    if (!told_) hold(std::string_view(&c, 1));
    const uint64_t behind = position() + 1;
    if (!scan_->is_text() && std::max(held_.size(), scan_->arguments().size()) > options_.most_held) scan_->no_call();
    if (scan_->is_text()) {
      if (told_) tell_broken(behind);
      if (code_follows_) {
        begin_code();
        return true;
      }
      release();
    } else if (options_.early && scan_->begun() && !told_) {
      tell_begin(scan_->name());
    }
    const bool called = scan_->take_called();
    if (called) tell_call(behind);
    if (step == CallScan::Step::done) {
      if (scan_->is_text())
        no_call();
      else
        behind_call();
    }
    return true;
  }

  void behind_call() {  // and behind the list it was in
    scan_.reset();
    held_.clear();
    state_ = State::behind;
    notations_ = (notations_ | bare_) & ~unsigned(kNamed);
  }

  void end_scan() {
    if (state_ == State::code) end_code();
    if (state_ != State::scan) return;
    scan_->end();
    if (scan_->take_called()) {
      tell_call(position());
      return behind_call();
    }
    if (told_) tell_broken(position());
    if (code_follows_) {
      begin_code();
      end_code();
    } else {
      no_call();
    }
  }

  void special(std::string_view name) {
    if (state_ == State::scan && scan_->takes_special(name)) {  // its bytes, unheard
      for (const char c : name)
        if (scan_->step(c) == CallScan::Step::bad) {
          if (told_) tell_broken(position());
          return no_call();
        }
      if (scan_->is_text()) release();
      return;
    }
    if (closes_thought(name) || opens_thought(name)) return passed_mark(name);
    if (state_ == State::thought) return;  // whatever it is, the thought goes on
    end_scan();
    bool known = closes(name);
    for (const Opener& o : format_.openers) known = known || (has_tools_ && o.text == name);
    if (known) return passed_mark(name);
    if (state_ == State::behind)
      held_.clear();
    else
      release();
    begin();  // a message ended
  }

  // ---- what is held ----

  void hold(std::string_view bytes) {
    if (held_.empty()) held_from_ = position();
    held_ += bytes;
  }

  void release() {  // it is text
    say(held_, held_from_);
    held_.clear();
  }

  void no_call() {
    release();
    scan_.reset();
    state_ = State::text;
    notations_ = bare_;
    name_end_ = {};
    at_start_ = code_follows_ = false;
  }

  // ---- code ----

  void begin_code() {
    const std::string code = held_.substr(code_from_);
    scan_.reset();
    state_ = State::code;
    code_follows_ = false;
    tell_begin(kCodeTool);
    code_json_ = "{\"code\": \"";
    code_held_.clear();
    for (const char c : code) code_byte(c);
  }

  void code_byte(char c) {
    code_held_ += c;
    while (!code_held_.empty()) {
      const Utf8 u = decode_utf8(code_held_.data(), code_held_.data() + code_held_.size());
      if (u.status == Utf8::incomplete) return;
      if (u.status == Utf8::invalid)
        append_utf8(code_json_, 0xfffd);
      else
        for (size_t i = 0; i < u.size; ++i) append_json_char(code_json_, code_held_[i]);
      code_held_.erase(0, u.size);
    }
    if (code_json_.size() >= 4096) events_.arguments(code_json_), code_json_.clear();
  }

  void end_code() {
    if (!code_held_.empty()) append_utf8(code_json_, 0xfffd);
    code_json_ += "\"}";
    events_.arguments(code_json_);
    code_json_.clear();
    tell_end(true, position());
    state_ = State::behind;
    notations_ = bare_;
  }

  // ---- events ----

  void say(std::string_view text, uint64_t from, ToolEvent::Kind kind = ToolEvent::Kind::text) {
    if (text.empty()) return;
    events_.say(text, from, kind);
    if (kind == ToolEvent::Kind::thought) return;
    at_start_ = false;
    if (!(state_ == State::opened || state_ == State::scan)) notations_ = bare_;
  }

  void tell_begin(std::string_view name) {
    events_.tell_said();
    call_from_ = held_.empty() ? position() : held_from_;
    held_.clear();
    told_ = true;
    code_follows_ = false;
    sent_ = 0;
    at_start_ = false;
    events_.call_begins(name);
  }

  void tell_end(bool complete, uint64_t behind) {
    told_ = false;
    events_.call_ends(complete, call_from_, behind);
  }

  void tell_call(uint64_t behind) {
    if (!told_) tell_begin(scan_->name());
    events_.arguments(std::string_view(scan_->arguments()).substr(sent_));
    tell_end(true, behind);
  }

  void tell_broken(uint64_t behind) {
    tell_settled();
    tell_end(false, behind);
  }

  void tell_settled() {
    const size_t settled = scan_->settled();
    if (settled > sent_) events_.arguments(std::string_view(scan_->arguments()).substr(sent_, settled - sent_));
    sent_ = std::max(sent_, settled);
  }

  void settle() {  // all that is known by now is told
    events_.tell_said();
    if (state_ == State::code) {
      events_.arguments(code_json_);
      code_json_.clear();
    } else if (told_ && state_ == State::scan) {
      tell_settled();
    }
  }

  const ToolNames names_;
  const ToolFormat& format_;
  const ToolCallParser::Options options_;
  const bool has_tools_;
  unsigned bare_ = 0;  // notations that need no opener
  std::array<bool, 256> starts_{};

  State state_ = State::text;
  bool at_start_ = false;  // nothing but white space was said
  unsigned notations_ = 0;
  std::string_view name_end_;
  bool code_follows_ = false;
  size_t code_from_ = 0;  // in held_
  std::optional<CallScan> scan_;
  std::string pending_;       // may become an opener or a closer
  size_t unheard_ = 0;        // bytes at its front that are a special token's name
  bool skip_blanks_ = false;  // behind a mark of a thought
  std::string held_;          // may become a call
  std::string code_json_, code_held_;
  uint64_t at_ = 0, held_from_ = 0, call_from_ = 0;
  bool told_ = false;  // a call's beginning, of which the end is to come
  size_t sent_ = 0;    // bytes of its arguments
  AnswerEvents events_;
};

}  // namespace

std::unique_ptr<AnswerReader> call_reader(const Tools& tools, const ToolFormat& format,
                                          const ToolCallParser::Options& options) {
  return std::make_unique<CallReader>(tools, format, options);
}

}  // namespace puna::tools
