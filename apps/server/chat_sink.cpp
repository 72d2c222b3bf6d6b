// chat_sink.cpp -- chat completions, whole and streamed. In a stream each answer's pieces are {role, content: ""}, then
// content or calls, then {} with the finish_reason; a call's id, type and name come once, with arguments "".
#include "json_out.h"
#include "sinks.h"

namespace puna::serve {

const char* finish_name(Finish finish) {
  switch (finish) {
    case Finish::length: return "length";
    case Finish::tool_calls: return "tool_calls";
    default: return "stop";
  }
}

std::string usage_json(const Usage& u) {
  const auto n = [](int64_t v) { return std::to_string(v); };
  return R"({"prompt_tokens":)" + n(u.prompt) + R"(,"completion_tokens":)" + n(u.completion) + R"(,"total_tokens":)" +
         n(u.prompt + u.completion) + R"(,"prompt_tokens_details":{"cached_tokens":)" + n(u.cached) +
         R"(,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,)" +
         R"("accepted_prediction_tokens":)" + n(u.accepted) + R"(,"rejected_prediction_tokens":)" + n(u.rejected) +
         "}}";
}

namespace {

std::string token_json(const std::string& bytes, double logprob) {
  std::string list;
  for (const char c : bytes) list += (list.empty() ? "" : ",") + std::to_string(int(uint8_t(c)));
  return R"({"token":)" + json_string(bytes) + R"(,"logprob":)" + json_number(logprob) + R"(,"bytes":[)" + list + "]";
}

}  // namespace

std::string chat_logprobs(const TokenLogprobs& list) {
  std::string out = "[";
  for (const TokenLogprob& t : list) {
    if (out.size() > 1) out += ',';
    out += token_json(t.bytes, t.logprob) + R"(,"top_logprobs":[)";
    for (size_t i = 0; i < t.top.size(); ++i) {
      if (i > 0) out += ',';
      out += token_json(t.top[i].first, t.top[i].second) + "}";
    }
    out += "]}";
  }
  return out + "]";
}

namespace {

std::string call_head(const std::string& id, const std::string& name, const std::string& arguments) {
  return R"("id":")" + id + R"(","type":"function","function":{"name":)" + json_string(name) + R"(,"arguments":)" +
         arguments + "}";
}

class ChatStream final : public Sink {
 public:
  ChatStream(const http::Reply& reply, const AnswerHead& head) : reply_(reply), h_(head) {
    prefix_ = R"(data: {"id":")" + h_.id + R"(","object":"chat.completion.chunk","created":)" +
              std::to_string(h_.created) + R"(,"model":)" + json_string(h_.model) + R"(,"choices":[)";
    suffix_ = h_.include_usage ? R"(],"usage":null})"
                                 "\n\n"
                               : "]}\n\n";
  }

  bool tells_thoughts() const override { return true; }
  void begin() override {
    begin_stream(reply_, h_, ": ping\n\n");
    std::string all;
    for (int i = 0; i < h_.answers; ++i)  // in order: clients keep answers in lists by their position
      all += chunk(i, R"({"role":"assistant","content":""})", {}, "null");
    reply_.write(all);
  }

  void piece(int answer, const Piece& p, const TokenLogprobs& logprobs) override {
    const std::string call = R"({"tool_calls":[{"index":)" + std::to_string(p.call) + ",";
    switch (p.kind) {
      case Piece::Kind::text: return write(answer, R"({"content":)" + json_string(p.text) + "}", logprobs);
      case Piece::Kind::thought: return write(answer, R"({"reasoning_content":)" + json_string(p.text) + "}", logprobs);
      case Piece::Kind::call_begin: return write(answer, call + call_head(p.id, p.text, R"("")") + "}]}", logprobs);
      case Piece::Kind::arguments:
        return write(answer, call + R"("function":{"arguments":)" + json_string(p.text) + "}}]}", logprobs);
      case Piece::Kind::call_end:
        if (!logprobs.empty()) write(answer, "{}", logprobs);
        return;
    }
  }

  void end(int answer, Finish finish, const std::string&, const TokenLogprobs& rest) override {
    reply_.write(chunk(answer, "{}", rest, '"' + std::string(finish_name(finish)) + '"'));
  }

  void done(const Usage& u) override {
    std::string last;
    if (h_.include_usage) last = prefix_ + R"(],"usage":)" + usage_json(u) + "}\n\n";
    reply_.write(last + "data: [DONE]\n\n");
    reply_.end();
  }

  void failed(const ApiError& e) override {
    reply_.write("data: " + openai_error(e) + "\n\n");
    reply_.end();
  }

 private:
  std::string chunk(int answer, const std::string& delta, const TokenLogprobs& logprobs, const std::string& finish) {
    std::string probabilities = "null";
    if (h_.logprobs && !logprobs.empty())
      probabilities = R"({"content":)" + chat_logprobs(logprobs) + R"(,"refusal":null})";
    return prefix_ + R"({"index":)" + std::to_string(answer) + R"(,"delta":)" + delta + R"(,"logprobs":)" +
           probabilities + R"(,"finish_reason":)" + finish + "}" + suffix_;
  }
  void write(int answer, const std::string& delta, const TokenLogprobs& logprobs) {
    reply_.write(chunk(answer, delta, logprobs, "null"));
  }

  const http::Reply reply_;
  const AnswerHead h_;
  std::string prefix_, suffix_;
};

class WholeChat final : public Sink {
 public:
  WholeChat(const http::Reply& reply, const AnswerHead& head) : reply_(reply), h_(head), all_(size_t(head.answers)) {}

  bool tells_thoughts() const override { return true; }
  void piece(int answer, const Piece& p, const TokenLogprobs& logprobs) override {
    One& a = all_[size_t(answer)];
    a.logprobs.insert(a.logprobs.end(), logprobs.begin(), logprobs.end());
    switch (p.kind) {
      case Piece::Kind::text: a.text += p.text; return;
      case Piece::Kind::thought: a.thought += p.text; return;
      case Piece::Kind::call_begin: a.calls.push_back({p.id, p.text, ""}); return;
      case Piece::Kind::arguments: a.calls.back().arguments += p.text; return;
      case Piece::Kind::call_end: return;
    }
  }

  void end(int answer, Finish finish, const std::string&, const TokenLogprobs& rest) override {
    One& a = all_[size_t(answer)];
    a.logprobs.insert(a.logprobs.end(), rest.begin(), rest.end());
    a.finish = finish;
  }

  void done(const Usage& u) override {
    std::string body = R"({"id":")" + h_.id + R"(","object":"chat.completion","created":)" +
                       std::to_string(h_.created) + R"(,"model":)" + json_string(h_.model) + R"(,"choices":[)";
    for (int i = 0; i < h_.answers; ++i) body += (i > 0 ? "," : "") + choice(i);
    reply_.send({200, body + R"(],"usage":)" + usage_json(u) + "}", "application/json", h_.fields});
  }

  void failed(const ApiError& e) override { send_error(reply_, h_, e, Dialect::openai); }

 private:
  struct Call {
    std::string id, name, arguments;
  };
  struct One {
    std::string text, thought;
    std::vector<Call> calls;
    TokenLogprobs logprobs;
    Finish finish = Finish::stop;
  };

  std::string choice(int index) const {
    const One& a = all_[size_t(index)];
    const bool silent = a.text.empty() && !a.calls.empty();
    std::string out = R"({"index":)" + std::to_string(index) + R"(,"message":{"role":"assistant","content":)" +
                      (silent ? "null" : json_string(a.text)) + R"(,"refusal":null)";
    if (!a.thought.empty()) out += R"(,"reasoning_content":)" + json_string(a.thought);
    for (size_t i = 0; i < a.calls.size(); ++i)
      out += (i == 0 ? R"(,"tool_calls":[{)" : ",{") +
             call_head(a.calls[i].id, a.calls[i].name, json_string(a.calls[i].arguments)) + "}";
    out += a.calls.empty() ? "}" : "]}";
    out += R"(,"logprobs":)" +
           (h_.logprobs ? R"({"content":)" + chat_logprobs(a.logprobs) + R"(,"refusal":null})" : std::string("null"));
    return out + R"(,"finish_reason":")" + finish_name(a.finish) + "\"}";
  }

  const http::Reply reply_;
  const AnswerHead h_;
  std::vector<One> all_;
};

}  // namespace

std::unique_ptr<Sink> chat_sink(const http::Reply& reply, const AnswerHead& head) {
  if (head.stream) return std::make_unique<ChatStream>(reply, head);
  return std::make_unique<WholeChat>(reply, head);
}

}  // namespace puna::serve
