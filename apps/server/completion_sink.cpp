// completion_sink.cpp -- completions, whole and streamed.
#include "json_out.h"
#include "sinks.h"

namespace puna::serve {

// A text's length in code points: offsets are those of Python's strings.
static size_t code_points(const std::string& utf8) {
  size_t n = 0;
  for (const char c : utf8) n += (uint8_t(c) & 0xc0) != 0x80;
  return n;
}

void CompletionLogprobs::add(const TokenLogprob& t) {
  const auto comma = [](std::string& list) { list += list.empty() ? "" : ","; };
  comma(tokens_);
  comma(values_);
  comma(tops_);
  comma(offsets_);
  tokens_ += json_string(t.bytes);
  values_ += t.first ? "null" : json_number(t.logprob);
  offsets_ += std::to_string(offset_);
  if (!t.unseen) offset_ += code_points(t.bytes);
  if (t.first) {
    tops_ += "null";
    return;
  }
  // An object by the tokens' texts: of two tokens with one text the likelier stands.
  std::string top;
  std::vector<std::string> seen;
  const auto put = [&](const std::string& bytes, double value) {
    std::string name = json_string(bytes);
    for (const std::string& s : seen)
      if (s == name) return;
    top += (top.empty() ? "" : ",") + name + ":" + json_number(value);
    seen.push_back(std::move(name));
  };
  for (const auto& [bytes, value] : t.top) put(bytes, value);
  put(t.bytes, t.logprob);
  tops_ += "{" + top + "}";
}

std::string CompletionLogprobs::take() {
  std::string out = R"({"tokens":[)" + std::exchange(tokens_, {}) + R"(],"token_logprobs":[)" +
                    std::exchange(values_, {}) + R"(],"top_logprobs":[)" + std::exchange(tops_, {}) +
                    R"(],"text_offset":[)" + std::exchange(offsets_, {}) + "]}";
  return out;
}

std::string completion_choice(int index, const std::string& text, const std::string& logprobs, const char* finish) {
  return R"({"text":)" + json_string(text) + R"(,"index":)" + std::to_string(index) + R"(,"logprobs":)" + logprobs +
         R"(,"finish_reason":)" + (finish ? '"' + std::string(finish) + '"' : "null") + "}";
}

static std::string head_json(const AnswerHead& h) {
  return R"({"id":")" + h.id + R"(","object":"text_completion","created":)" + std::to_string(h.created) +
         R"(,"model":)" + json_string(h.model) + R"(,"choices":[)";
}

std::string completion_json(const AnswerHead& h, const std::string& choices, const Usage& usage) {
  return head_json(h) + choices + R"(],"usage":)" + usage_json(usage) + "}";
}

namespace {

class CompletionStream final : public Sink {
 public:
  CompletionStream(const http::Reply& reply, const AnswerHead& head)
      : reply_(reply), h_(head), prefix_("data: " + head_json(head)), logprobs_(size_t(head.answers)) {}

  void begin() override { begin_stream(reply_, h_, ": ping\n\n"); }
  void piece(int answer, const Piece& p, const TokenLogprobs& logprobs) override {
    write(answer, p.text, logprobs, nullptr);
  }
  void end(int answer, Finish finish, const std::string&, const TokenLogprobs& rest) override {
    write(answer, "", rest, finish_name(finish));
  }
  void done(const Usage& u) override {
    std::string last;
    if (h_.include_usage) last = "data: " + completion_json(h_, "", u) + "\n\n";
    reply_.write(last + "data: [DONE]\n\n");
    reply_.end();
  }
  void failed(const ApiError& e) override {
    reply_.write("data: " + openai_error(e) + "\n\n");
    reply_.end();
  }

 private:
  void write(int answer, const std::string& text, const TokenLogprobs& logprobs, const char* finish) {
    CompletionLogprobs& l = logprobs_[size_t(answer)];
    for (const TokenLogprob& t : logprobs) l.add(t);
    const std::string probabilities = h_.logprobs && !l.empty() ? l.take() : "null";
    reply_.write(prefix_ + completion_choice(answer, text, probabilities, finish) +
                 (h_.include_usage ? R"(],"usage":null})" : "]}") + "\n\n");
  }
  const http::Reply reply_;
  const AnswerHead h_;
  const std::string prefix_;
  std::vector<CompletionLogprobs> logprobs_;
};

class WholeCompletion final : public Sink {
 public:
  WholeCompletion(const http::Reply& reply, const AnswerHead& head)
      : reply_(reply), h_(head), all_(size_t(head.answers)) {}

  void piece(int answer, const Piece& p, const TokenLogprobs& logprobs) override {
    One& a = all_[size_t(answer)];
    a.text += p.text;
    for (const TokenLogprob& t : logprobs) a.logprobs.add(t);
  }
  void end(int answer, Finish finish, const std::string&, const TokenLogprobs& rest) override {
    One& a = all_[size_t(answer)];
    for (const TokenLogprob& t : rest) a.logprobs.add(t);
    a.finish = finish;
  }
  void done(const Usage& u) override {
    std::string choices;
    for (int i = 0; i < h_.answers; ++i) {
      One& a = all_[size_t(i)];
      choices += (i > 0 ? "," : "") +
                 completion_choice(i, a.text, h_.logprobs ? a.logprobs.take() : "null", finish_name(a.finish));
    }
    reply_.send({200, completion_json(h_, choices, u), "application/json", h_.fields});
  }
  void failed(const ApiError& e) override { send_error(reply_, h_, e, Dialect::openai); }

 private:
  struct One {
    std::string text;
    CompletionLogprobs logprobs;
    Finish finish = Finish::stop;
  };
  const http::Reply reply_;
  const AnswerHead h_;
  std::vector<One> all_;
};

}  // namespace

std::unique_ptr<Sink> completion_sink(const http::Reply& reply, const AnswerHead& head) {
  if (head.stream) return std::make_unique<CompletionStream>(reply, head);
  return std::make_unique<WholeCompletion>(reply, head);
}

}  // namespace puna::serve
