#include "answering.h"

#include <algorithm>
#include <random>

namespace puna::serve {
namespace {

TokenLogprob logprob_of(const Tokenizer& tokenizer, const std::vector<TokenProbability>& p, size_t most) {
  const auto bytes = [&](int32_t id) { return std::string(tokenizer.bytes(id)); };
  TokenLogprob l;
  l.bytes = bytes(p[0].token);
  l.logprob = double(p[0].log_probability);
  // The chosen one first, then the most likely others: put in order, as many as were asked for.
  std::vector<TokenProbability> all = p;
  std::stable_sort(all.begin(), all.end(), [](const TokenProbability& a, const TokenProbability& b) {
    return a.log_probability > b.log_probability;
  });
  for (size_t i = 0; i < all.size() && i < most; ++i)
    l.top.emplace_back(bytes(all[i].token), double(all[i].log_probability));
  return l;
}

Finish finish_of(StopReason reason) {
  switch (reason) {
    case StopReason::max_tokens:
    case StopReason::context_full: return Finish::length;
    case StopReason::stop_string: return Finish::stop_string;
    default: return Finish::stop;
  }
}

}  // namespace

std::string new_id(const char* prefix, int characters) {
  static thread_local std::mt19937_64 source{std::random_device{}()};
  static constexpr char kCharacters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string id = prefix;
  for (int i = 0; i < characters; ++i) id += kCharacters[source() % (sizeof kCharacters - 1)];
  return id;
}

// Reads one answer: what is text, and what is a call.
class Answering::Reader {
 public:
  Reader(int answer, const Model& model, const Reading& r, bool thoughts, size_t top, std::vector<std::string> stops)
      : answer_(answer), tokenizer_(model.require_tokenizer()), top_(top), stops_(std::move(stops)) {
    if (!r.chat) return;
    ToolCallParser::Options options;
    options.early = r.early;
    options.thoughts = thoughts;
    options.begins_in_thought = r.begins_in_thought;
    parser_ = std::make_unique<ToolCallParser>(r.tools, model.tool_format(), options);
    const std::string_view format = tool_format_name(model.tool_format());
    short_ids_ = format.starts_with("mistral");  // whose templates want nine characters
  }

  void hear(const Event& e, Sink& sink) {
    const auto& stop = tokenizer_.specials().stop;  // these say nothing
    if (!e.probabilities.empty() && std::find(stop.begin(), stop.end(), e.token) == stop.end())
      held_.push_back(logprob_of(tokenizer_, e.probabilities, top_));
    if (!stops_.empty()) raw_ += tokenizer_.bytes(e.token);
    if (!parser_) {
      if (!e.text.empty()) say(sink, {Piece::Kind::text, e.text, 0, ""});
      return;
    }
    const auto told = [&](const ToolEvent& t) { tell(t, sink); };
    if (!e.text.empty()) parser_->push(e.text, told);
    if (e.token < tokenizer_.size() && tokenizer_.is_special(e.token))
      parser_->push_special(tokenizer_.bytes(e.token), told);
  }

  // `tail`: text that was held back, for it might have begun a stop string.
  void end(const Event& e, Sink& sink) {
    if (!e.text.empty()) {
      if (parser_)
        parser_->push(e.text, [&](const ToolEvent& t) { tell(t, sink); });
      else
        say(sink, {Piece::Kind::text, e.text, 0, ""});
    }
    if (parser_) parser_->finish([&](const ToolEvent& t) { tell(t, sink); });
    Finish finish = finish_of(e.reason);
    if (calls_ > 0 && !cut_ && !(finish == Finish::length && said_after_)) finish = Finish::tool_calls;
    std::string stop;
    if (finish == Finish::stop_string) {
      size_t first = std::string::npos;
      for (const std::string& s : stops_)
        if (const size_t found = raw_.find(s); found < first) first = found, stop = s;
    }
    sink.end(answer_, finish, stop, std::exchange(held_, {}));
  }

 private:
  void tell(const ToolEvent& t, Sink& sink) {
    switch (t.kind) {
      case ToolEvent::Kind::text:
        said_after_ = calls_ > 0;
        return say(sink, {Piece::Kind::text, std::string(t.text), 0, ""});
      case ToolEvent::Kind::thought: return say(sink, {Piece::Kind::thought, std::string(t.text), 0, ""});
      case ToolEvent::Kind::call_begin:
        ++calls_;
        said_after_ = false;
        return say(
            sink, {Piece::Kind::call_begin, std::string(t.text), t.call, short_ids_ ? new_id("", 9) : new_id("call_")});
      case ToolEvent::Kind::arguments: return say(sink, {Piece::Kind::arguments, std::string(t.text), t.call, ""});
      case ToolEvent::Kind::call_end:
        cut_ = cut_ || !t.complete;
        return say(sink, {Piece::Kind::call_end, "", t.call, ""});
    }
  }
  void say(Sink& sink, const Piece& piece) { sink.piece(answer_, piece, std::exchange(held_, {})); }

  const int answer_;
  const Tokenizer& tokenizer_;
  const size_t top_;
  const std::vector<std::string> stops_;
  std::unique_ptr<ToolCallParser> parser_;
  TokenLogprobs held_;
  std::string raw_;
  size_t calls_ = 0;
  bool cut_ = false, said_after_ = false, short_ids_ = false;
};

Answering::Answering(http::Reply reply, std::unique_ptr<Sink> sink, ChosenModel chosen,
                     std::function<void(const Measured&)> finished)
    : reply_(std::move(reply)),
      chosen_(std::move(chosen)),
      finished_(std::move(finished)),
      sink_(std::move(sink)),
      start_(Clock::now()) {
  measured_.model = chosen_.name;
}

Answering::~Answering() = default;

void Answering::add(Work work, const Reading& reading, bool logprobs) {
  Part part;
  part.first = int(readers_.size());
  const size_t top = logprobs ? size_t(std::max(0, work.generate.log_probabilities - 1)) : 0;
  for (int i = 0; i < work.n; ++i)
    readers_.push_back(std::make_unique<Reader>(part.first + i, chosen_.model(), reading, sink_->tells_thoughts(), top,
                                                work.generate.stop_strings));
  part.work = std::move(work);
  parts_.push_back(std::move(part));
}

void Answering::start() {
  const auto self = shared_from_this();
  const std::lock_guard<std::mutex> lock(mutex_);
  left_ = parts_.size();
  try {
    for (size_t i = 0; i < parts_.size(); ++i) {
      Work& work = parts_[i].work;
      // The last event lets go of this object, which holds the request, which holds the function.
      work.on_event = [held = std::make_shared<std::shared_ptr<Answering>>(self), i](const Event& e) {
        const std::shared_ptr<Answering> here = *held;
        if (!here) return false;
        if (e.kind == Event::Kind::ended) held->reset();
        return here->hear(i, e);
      };
      parts_[i].running = chosen_.loaded->backend->submit(std::move(work));
    }
  } catch (...) {
    over_ = true;
    for (Part& p : parts_)
      if (p.running) p.running->cancel();
    throw;
  }
  if (!over_ && !std::exchange(begun_, true)) sink_->begin();
  reply_.on_gone([weak = weak_from_this()] {
    if (const auto here = weak.lock()) here->cancel();
  });
}

// By the thread that polls: no lock, since a writer may hold it while it hands something to that thread.
void Answering::cancel() noexcept {
  cancelled_.store(true);
  for (Part& p : parts_)
    if (p.running) p.running->cancel();
}

bool Answering::hear(size_t index, const Event& e) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Part& part = parts_[index];
  if (over_) return false;
  if (cancelled_.load() && e.kind != Event::Kind::ended) return false;
  if (!std::exchange(begun_, true)) sink_->begin();
  switch (e.kind) {
    case Event::Kind::token: {
      const auto now = Clock::now();
      const double since =
          std::chrono::duration<double>(now - (measured_.first_token > 0 ? last_token_ : start_)).count();
      if (measured_.first_token > 0)
        measured_.between_tokens.push_back(float(since));
      else
        measured_.first_token = since;
      last_token_ = now;
      ++measured_.usage.completion;
      readers_[size_t(part.first + e.answer)]->hear(e, *sink_);
      return !reply_.gone();
    }
    case Event::Kind::answer_ended: readers_[size_t(part.first + e.answer)]->end(e, *sink_); return true;
    case Event::Kind::ended: end_part(part, e); return true;
  }
  return true;
}

void Answering::end_part(Part& part, const Event& e) {
  part.ended = true;
  if (e.status != Status::ok) return fail_all(api_error(e.status, e.message));
  if (part.running) {
    const WorkInfo info = part.running->info();
    measured_.usage.prompt += info.prompt_tokens;
    measured_.usage.cached += info.cached_tokens;
    measured_.usage.accepted += info.accepted_drafts;
    measured_.usage.rejected += info.rejected_drafts;
  }
  if (--left_ > 0) return;
  // First counted, then told: a client that has its answer may ask again, and finds its place free.
  finish(200);
  sink_->done(measured_.usage);
}

void Answering::fail_all(const ApiError& error) {
  for (Part& p : parts_)
    if (!p.ended && p.running) p.running->cancel();
  finish(reply_.gone() ? 499 : error.status);
  sink_->failed(error);
}

void Answering::finish(int status) {
  over_ = true;
  measured_.status = status;
  if (finished_) finished_(measured_);
}

}  // namespace puna::serve
