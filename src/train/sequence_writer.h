// sequence_writer.h -- an example to tokens, and which of them count. A prompt and its answer are encoded separately,
// as in generation: the token boundary between them is the same.
#pragma once
#include "train/row_forms.h"

namespace puna::train {

class SequenceWriter {
 public:
  SequenceWriter(const TextCodec& codec, const DataOptions& options, DataReport* report);

  const Watch& watch() const noexcept { return watch_; }
  ChatText& chat_text() noexcept { return chat_text_; }

  // Windows of one document. `place` is for the report; NULL: a file as a whole.
  void text(std::vector<Sequence>& to, std::string_view text, const std::string& place);
  // A prompt and its answer, or a chat. Error{bad_file} where nothing is to be learned.
  Sequence answer(const Place& place, const Example& e);
  Sequence chat(const Place& place, const Chat& chat);
  // false: longer than max_tokens, to be left out (Error{bad_file} without skip_long).
  bool fits(const Place& place, const Sequence& s);
  void keep(const Sequence& s);  // in the report

 private:
  void start(Sequence& s) const;
  void end(Sequence& s) const;
  void put(Sequence& s, std::string_view text, bool special, bool counted) const;
  void put(Sequence& s, const RenderedChat& chat, bool counted) const;
  bool is_surely_too_long(const Chat& chat, size_t count);
  void report_dropped(const Place& place, const Chat& chat, const std::string& variables,
                      const RenderedChat& text) const;
  void report_specials(const std::string& place, std::string_view text) const;
  void report(std::string_view what, const std::string& place) const {
    if (report_) report_->note(what, place);
  }

  const TextCodec& codec_;
  const DataOptions& options_;
  DataReport* report_;
  const Watch nobody_;
  const Watch& watch_;
  ChatText chat_text_;
  size_t longest_token_ = 0;
};

}  // namespace puna::train
