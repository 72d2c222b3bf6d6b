// api_error.h -- what a client is told when its request cannot be answered, in OpenAI's form and in Anthropic's.
#pragma once
#include <exception>
#include <string>

#include "http/answer.h"
#include "puna/base/error.h"

namespace puna::serve {

struct ApiError : std::exception {
  // status 400, 401, 403, 404, 413, 429, 500, 503; `param`: the field that is wrong, "" = none; `code`: "" = none
  ApiError(int http_status, std::string why, std::string field = "", std::string reason = "")
      : status(http_status), message(std::move(why)), param(std::move(field)), code(std::move(reason)) {}
  const char* what() const noexcept override { return message.c_str(); }

  int status;
  std::string message, param, code;
  int retry_after = 0;  // seconds; 0 = it does not say
};

[[noreturn]] inline void refuse(const std::string& param, const std::string& why, const std::string& code = "") {
  throw ApiError(400, why, param, code);
}

// What the library threw: a caller's mistake is a 400 of that field, the rest what it is.
ApiError api_error(Status status, const std::string& message, const std::string& param = "");
inline ApiError api_error(const Error& e, const std::string& param = "") {
  return api_error(e.status(), e.what(), param);
}

// {"error": {"message", "type", "param", "code"}}, all four
std::string openai_error(const ApiError& e);
// {"type": "error", "error": {"type", "message"}}
std::string anthropic_error(const ApiError& e);
enum class Dialect : unsigned char { openai, anthropic };
http::Answer error_answer(const ApiError& e, Dialect dialect);

}  // namespace puna::serve
