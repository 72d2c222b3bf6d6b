// messages_sink.cpp -- Anthropic's messages, whole and streamed: message_start, blocks (text, tool_use), message_delta,
// message_stop.
#include "base/json.h"
#include "json_out.h"
#include "sinks.h"

namespace puna::serve {
namespace {

std::string stop_json(Finish finish, const std::string& stop) {
  const char* reason = "end_turn";
  if (finish == Finish::length) reason = "max_tokens";
  if (finish == Finish::tool_calls) reason = "tool_use";
  if (finish == Finish::stop_string) reason = "stop_sequence";
  return R"("stop_reason":")" + std::string(reason) + R"(","stop_sequence":)" +
         (finish == Finish::stop_string ? json_string(stop) : "null");
}

std::string usage(int64_t input, int64_t cached, int64_t output) {
  return R"({"input_tokens":)" + std::to_string(input - cached) + R"(,"cache_creation_input_tokens":0,)" +
         R"("cache_read_input_tokens":)" + std::to_string(cached) + R"(,"output_tokens":)" + std::to_string(output) +
         "}";
}

std::string message(const AnswerHead& h, const std::string& content, const std::string& stop, const std::string& u) {
  return R"({"id":")" + h.id + R"(","type":"message","role":"assistant","model":)" + json_string(h.model) +
         R"(,"content":[)" + content + "]," + stop + R"(,"usage":)" + u + "}";
}

class MessagesStream final : public Sink {
 public:
  MessagesStream(const http::Reply& reply, const AnswerHead& head, int64_t prompt)
      : reply_(reply), h_(head), prompt_(prompt) {}

  void begin() override {
    begin_stream(reply_, h_, "event: ping\ndata: {\"type\":\"ping\"}\n\n");
    event("message_start",
          R"("message":)" + message(h_, "", R"("stop_reason":null,"stop_sequence":null)", usage(prompt_, 0, 0)));
  }
  void piece(int, const Piece& p, const TokenLogprobs&) override {
    switch (p.kind) {
      case Piece::Kind::text:
        if (!open_ || tool_) open(R"({"type":"text","text":""})", false);
        return delta(R"({"type":"text_delta","text":)" + json_string(p.text) + "}");
      case Piece::Kind::call_begin:
        return open(R"({"type":"tool_use","id":")" + p.id + R"(","name":)" + json_string(p.text) + R"(,"input":{}})",
                    true);
      case Piece::Kind::arguments:
        return delta(R"({"type":"input_json_delta","partial_json":)" + json_string(p.text) + "}");
      case Piece::Kind::thought: return;  // these are told as text
      case Piece::Kind::call_end: return close();
    }
  }
  void end(int, Finish finish, const std::string& stop, const TokenLogprobs&) override {
    close();
    stop_ = stop_json(finish, stop);
  }
  void done(const Usage& u) override {
    event("message_delta", R"("delta":{)" + stop_ + R"(},"usage":)" + usage(u.prompt, u.cached, u.completion));
    event("message_stop", "");
    reply_.end();
  }
  void failed(const ApiError& e) override {
    reply_.write("event: error\ndata: " + anthropic_error(e) + "\n\n");
    reply_.end();
  }

 private:
  void event(const char* type, const std::string& members) {
    reply_.write("event: " + std::string(type) + "\ndata: {\"type\":\"" + type + "\"" +
                 (members.empty() ? "" : "," + members) + "}\n\n");
  }
  std::string index() const { return R"("index":)" + std::to_string(index_); }
  void open(const std::string& block, bool tool) {
    close();
    open_ = true;
    tool_ = tool;
    event("content_block_start", index() + R"(,"content_block":)" + block);
  }
  void delta(const std::string& d) { event("content_block_delta", index() + R"(,"delta":)" + d); }
  void close() {
    if (!open_) return;
    event("content_block_stop", index());
    open_ = false;
    ++index_;
  }
  const http::Reply reply_;
  const AnswerHead h_;
  const int64_t prompt_;
  std::string stop_;
  int index_ = 0;
  bool open_ = false, tool_ = false;
};

class WholeMessage final : public Sink {
 public:
  WholeMessage(const http::Reply& reply, const AnswerHead& head) : reply_(reply), h_(head) {}
  void piece(int, const Piece& p, const TokenLogprobs&) override {
    switch (p.kind) {
      case Piece::Kind::text:
        if (blocks_.empty() || blocks_.back().tool) blocks_.push_back({});
        blocks_.back().text += p.text;
        return;
      case Piece::Kind::call_begin: blocks_.push_back({true, p.id, p.text, ""}); return;
      case Piece::Kind::arguments: blocks_.back().text += p.text; return;
      case Piece::Kind::thought: return;  // these are told as text
      case Piece::Kind::call_end: return;
    }
  }
  void end(int, Finish finish, const std::string& stop, const TokenLogprobs&) override {
    // A call that was cut is no object: what there is of it is said.
    stop_ = stop_json(finish, stop);
  }
  void done(const Usage& u) override {
    std::string content;
    for (const Block& b : blocks_) {
      content += content.empty() ? "" : ",";
      content += b.tool ? R"({"type":"tool_use","id":")" + b.id + R"(","name":)" + json_string(b.name) +
                              R"(,"input":)" + (Json::accept(b.text) ? b.text : "{}") + "}"
                        : R"({"type":"text","text":)" + json_string(b.text) + "}";
    }
    reply_.send(
        {200, message(h_, content, stop_, usage(u.prompt, u.cached, u.completion)), "application/json", h_.fields});
  }
  void failed(const ApiError& e) override { send_error(reply_, h_, e, Dialect::anthropic); }

 private:
  struct Block {
    bool tool = false;
    std::string id, name, text;
  };
  const http::Reply reply_;
  const AnswerHead h_;
  std::vector<Block> blocks_;
  std::string stop_;
};

}  // namespace

std::unique_ptr<Sink> messages_sink(const http::Reply& reply, const AnswerHead& head, int64_t prompt_tokens) {
  if (head.stream) return std::make_unique<MessagesStream>(reply, head, prompt_tokens);
  return std::make_unique<WholeMessage>(reply, head);
}

}  // namespace puna::serve
