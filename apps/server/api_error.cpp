#include "api_error.h"

#include "json_out.h"

namespace puna::serve {
namespace {

const char* openai_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 429: return "rate_limit_error";
    case 500: return "server_error";
    case 503: return "service_unavailable_error";
    default: return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

const char* anthropic_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 503: return "overloaded_error";
    default: return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

std::string text_or_null(const std::string& text) { return text.empty() ? "null" : json_string(text); }

}  // namespace

ApiError api_error(Status status, const std::string& message, const std::string& param) {
  switch (status) {
    case Status::invalid_argument:
    case Status::unsupported:
    case Status::bad_file: return {400, message, param};
    case Status::context_full: return {400, message, param, "context_length_exceeded"};
    case Status::busy:
    case Status::out_of_memory: {
      ApiError e(503, message, "", status == Status::busy ? "queue_full" : "out_of_memory");
      e.retry_after = 1;
      return e;
    }
    case Status::cancelled: return {503, message, "", "cancelled"};
    default: return {500, message};
  }
}

std::string openai_error(const ApiError& e) {
  return R"({"error":{"message":)" + json_string(e.message) + R"(,"type":")" + openai_type(e.status) + R"(","param":)" +
         text_or_null(e.param) + R"(,"code":)" + text_or_null(e.code) + "}}";
}

std::string anthropic_error(const ApiError& e) {
  const std::string message = e.param.empty() ? e.message : e.param + ": " + e.message;
  return R"({"type":"error","error":{"type":")" + std::string(anthropic_type(e.status)) + R"(","message":)" +
         json_string(message) + "}}";
}

http::Answer error_answer(const ApiError& e, Dialect dialect) {
  http::Answer a{e.status, dialect == Dialect::anthropic ? anthropic_error(e) : openai_error(e)};
  if (e.retry_after > 0) a.fields.emplace_back("Retry-After", std::to_string(e.retry_after));
  if (e.status == 401) a.fields.emplace_back("WWW-Authenticate", "Bearer");
  return a;
}

}  // namespace puna::serve
