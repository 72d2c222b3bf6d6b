// embedding_sink.cpp -- OpenAI's embeddings: one vector a prompt, as numbers or as the base64 of little-endian floats.
#include <cstring>

#include "json_out.h"
#include "sinks.h"

namespace puna::serve {
namespace {

std::string as_base64(std::span<const float> values) {
  std::string bytes(values.size() * 4, '\0');
  for (size_t k = 0; k < values.size(); ++k) {  // little-endian, whatever this machine is
    uint32_t bits;
    memcpy(&bits, &values[k], 4);
    for (size_t b = 0; b < 4; ++b) bytes[4 * k + b] = char(bits >> (8 * b));
  }
  return '"' + base64(bytes) + '"';
}

std::string as_numbers(std::span<const float> values) {
  std::string list;
  for (const float x : values) list += (list.empty() ? "[" : ",") + json_number(double(x));
  return list + "]";
}

class Embeddings final : public Sink {
 public:
  Embeddings(const http::Reply& reply, const AnswerHead& head, bool base64)
      : reply_(reply), h_(head), base64_(base64), all_(size_t(head.answers)) {}

  void piece(int, const Piece&, const TokenLogprobs&) override {}
  void end(int, Finish, const std::string&, const TokenLogprobs&) override {}
  void embedding(int index, std::span<const float> values) override {
    all_[size_t(index)] = base64_ ? as_base64(values) : as_numbers(values);
  }
  void done(const Usage& u) override {
    std::string data;
    for (size_t i = 0; i < all_.size(); ++i)
      data += (i > 0 ? "," : "") + (R"({"object":"embedding","index":)" + std::to_string(i)) + R"(,"embedding":)" +
              all_[i] + "}";
    const std::string n = std::to_string(u.prompt);
    reply_.send({200,
                 R"({"object":"list","data":[)" + data + R"(],"model":)" + json_string(h_.model) +
                     R"(,"usage":{"prompt_tokens":)" + n + R"(,"total_tokens":)" + n + "}}",
                 "application/json", h_.fields});
  }
  void failed(const ApiError& e) override { send_error(reply_, h_, e, Dialect::openai); }

 private:
  const http::Reply reply_;
  const AnswerHead h_;
  const bool base64_;
  std::vector<std::string> all_;  // JSON
};

}  // namespace

std::unique_ptr<Sink> embedding_sink(const http::Reply& reply, const AnswerHead& head, bool base64) {
  return std::make_unique<Embeddings>(reply, head, base64);
}

}  // namespace puna::serve
