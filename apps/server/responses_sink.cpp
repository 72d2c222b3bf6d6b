// responses_sink.cpp -- OpenAI's responses, whole and streamed: a list of items, messages and calls, each built from
// events in order.
#include "json_out.h"
#include "sinks.h"

namespace puna::serve {
namespace {

struct Item {
  bool call = false;
  std::string id, text, call_id, name;  // text: said, or a call's arguments
  std::string logprobs;
};

// Keeps the items; a stream tells of them as they grow.
class ResponsesSink final : public Sink {
 public:
  ResponsesSink(const http::Reply& reply, const AnswerHead& head, std::string repeated)
      : reply_(reply), h_(head), repeated_(std::move(repeated)) {}

  void begin() override {
    if (!h_.stream) return;
    begin_stream(reply_, h_, ": ping\n\n");
    const std::string response = R"("response":)" + body("in_progress", "", nullptr);
    event("response.created", response);
    event("response.in_progress", response);
  }

  void piece(int, const Piece& p, const TokenLogprobs& logprobs) override {
    switch (p.kind) {
      case Piece::Kind::text: return say(p.text, logprobs);
      case Piece::Kind::call_begin: return begin_call(p);
      case Piece::Kind::arguments:
        items_.back().text += p.text;
        return event("response.function_call_arguments.delta", place() + R"(,"delta":)" + json_string(p.text));
      case Piece::Kind::thought: return;  // these are told as text
      case Piece::Kind::call_end: return close("completed");
    }
  }

  void end(int, Finish finish, const std::string&, const TokenLogprobs&) override {
    cut_ = finish == Finish::length;
    if (items_.empty()) open_message();
    close(cut_ ? "incomplete" : "completed");
  }

  void done(const Usage& u) override {
    const std::string all = body(cut_ ? "incomplete" : "completed", "", &u);
    if (!h_.stream) {
      reply_.send({200, all, "application/json", h_.fields});
      return;
    }
    event(cut_ ? "response.incomplete" : "response.completed", R"("response":)" + all);
    reply_.end();
  }

  void failed(const ApiError& e) override {
    if (!h_.stream) return send_error(reply_, h_, e, Dialect::openai);
    const std::string error = R"({"code":"server_error","message":)" + json_string(e.message) + "}";
    event("response.failed", R"("response":)" + body("failed", error, nullptr));
    reply_.end();
  }

 private:
  void event(const char* type, const std::string& members) {
    if (!h_.stream) return;
    reply_.write("event: " + std::string(type) + "\ndata: {\"type\":\"" + type + R"(","sequence_number":)" +
                 std::to_string(number_++) + "," + members + "}\n\n");
  }

  static std::string part(const Item& i) {
    return R"({"type":"output_text","text":)" + json_string(i.text) + R"(,"annotations":[],"logprobs":[)" + i.logprobs +
           "]}";
  }
  static std::string item_json(const Item& i, const char* status, bool empty = false) {
    if (i.call)
      return R"({"id":")" + i.id + R"(","type":"function_call","status":")" + status + R"(","call_id":")" + i.call_id +
             R"(","name":)" + json_string(i.name) + R"(,"arguments":)" + json_string(i.text) + "}";
    return R"({"id":")" + i.id + R"(","type":"message","role":"assistant","status":")" + status + R"(","content":[)" +
           (empty ? "" : part(i)) + "]}";
  }
  std::string output_index() const { return R"("output_index":)" + std::to_string(items_.size() - 1); }
  std::string place() const { return R"("item_id":")" + items_.back().id + "\"," + output_index(); }

  void open_message() {
    close("completed");
    items_.push_back({false, new_id("msg_"), "", "", "", ""});
    open_ = true;
    event("response.output_item.added", output_index() + R"(,"item":)" + item_json(items_.back(), "in_progress", true));
    event("response.content_part.added", place() + R"(,"content_index":0,"part":)" + part(items_.back()));
  }

  void say(const std::string& text, const TokenLogprobs& logprobs) {
    if (!open_ || items_.back().call) open_message();
    Item& i = items_.back();
    i.text += text;
    std::string list;
    if (h_.logprobs) {
      list = chat_logprobs(logprobs);
      list = list.substr(1, list.size() - 2);
      if (!list.empty()) i.logprobs += (i.logprobs.empty() ? "" : ",") + list;
    }
    event("response.output_text.delta",
          place() + R"(,"content_index":0,"delta":)" + json_string(text) + R"(,"logprobs":[)" + list + "]");
  }

  void begin_call(const Piece& p) {
    close("completed");
    items_.push_back({true, new_id("fc_"), "", p.id, p.text, ""});
    open_ = true;
    event("response.output_item.added", output_index() + R"(,"item":)" + item_json(items_.back(), "in_progress"));
  }

  void close(const char* status) {
    if (!std::exchange(open_, false)) return;
    const Item& i = items_.back();
    if (i.call) {
      event("response.function_call_arguments.done",
            place() + R"(,"name":)" + json_string(i.name) + R"(,"arguments":)" + json_string(i.text));
    } else {
      event("response.output_text.done",
            place() + R"(,"content_index":0,"text":)" + json_string(i.text) + R"(,"logprobs":[)" + i.logprobs + "]");
      event("response.content_part.done", place() + R"(,"content_index":0,"part":)" + part(i));
    }
    event("response.output_item.done", output_index() + R"(,"item":)" + item_json(i, status));
  }

  std::string body(const char* status, const std::string& error, const Usage* u) const {
    std::string output;
    for (size_t i = 0; i < items_.size(); ++i) {
      const bool incomplete = cut_ && i + 1 == items_.size();
      output += (i > 0 ? "," : "") + item_json(items_[i], incomplete ? "incomplete" : "completed");
    }
    std::string out = R"({"id":")" + h_.id + R"(","object":"response","created_at":)" + std::to_string(h_.created) +
                      R"(,"status":")" + status + R"(","error":)" + (error.empty() ? "null" : error) +
                      R"(,"incomplete_details":)" +
                      (std::string_view(status) == "incomplete" ? R"({"reason":"max_output_tokens"})" : "null") +
                      R"(,"model":)" + json_string(h_.model) + "," + repeated_ + R"(,"output":[)" + output + "]";
    if (!u) return out + "}";
    const auto n = [](int64_t v) { return std::to_string(v); };
    return out + R"(,"usage":{"input_tokens":)" + n(u->prompt) + R"(,"input_tokens_details":{"cached_tokens":)" +
           n(u->cached) + R"(,"cache_write_tokens":0},"output_tokens":)" + n(u->completion) +
           R"(,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":)" + n(u->prompt + u->completion) + "}}";
  }

  const http::Reply reply_;
  const AnswerHead h_;
  const std::string repeated_;
  std::vector<Item> items_;
  bool open_ = false, cut_ = false;
  int64_t number_ = 0;
};

}  // namespace

std::unique_ptr<Sink> responses_sink(const http::Reply& reply, const AnswerHead& head, const std::string& repeated) {
  return std::make_unique<ResponsesSink>(reply, head, repeated);
}

}  // namespace puna::serve
