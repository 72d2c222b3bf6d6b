#include "request.h"

#include <algorithm>

namespace puna::http {
namespace {

bool is_token(std::string_view text) {  // RFC 9110, 5.6.2
  const auto ok = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), ok);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return out;
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// false: a % without two digits behind it, or a NUL.
bool decode_path(std::string_view from, std::string& to) {
  for (size_t i = 0; i < from.size(); ++i) {
    char c = from[i];
    if (c == '%') {
      const int high = i + 2 < from.size() ? hex_digit(from[i + 1]) : -1, low = high < 0 ? -1 : hex_digit(from[i + 2]);
      if (low < 0) return false;
      c = char(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return false;
    to += c;
  }
  return true;
}

// Digits of `base`, at most `limit`; -1 when it is no number, -2 when it is more.
int64_t number_of(std::string_view text, int base, uint64_t limit) {
  if (text.empty()) return -1;
  uint64_t value = 0;
  bool more = false;
  for (const char c : text) {
    const int digit = hex_digit(c);
    if (digit < 0 || digit >= base) return -1;
    if (!more) value = value * uint64_t(base) + uint64_t(digit);
    more = more || value > limit;
  }
  return more ? -2 : int64_t(value);
}

}  // namespace

std::string_view Request::field(std::string_view name) const noexcept {
  for (const auto& [key, value] : fields)
    if (key == name) return value;
  return {};
}

bool Request::has(std::string_view name) const noexcept {
  return std::any_of(fields.begin(), fields.end(), [&](const auto& f) { return f.first == name; });
}

size_t RequestParser::take(std::string_view bytes) {
  const size_t given = bytes.size();
  while (!bytes.empty() && state_ != State::done && state_ != State::refused) {
    if (state_ == State::body || state_ == State::chunk) {
      const size_t part = size_t(std::min<uint64_t>(left_, bytes.size()));
      request_.body.append(bytes.substr(0, part));
      bytes.remove_prefix(part);
      left_ -= part;
      if (left_ == 0) state_ = state_ == State::body ? State::done : State::chunk_end;
    } else if (take_line(bytes)) {
      on_line();
      line_.clear();
    }
  }
  return given - bytes.size();
}

bool RequestParser::take_line(std::string_view& bytes) {
  const size_t newline = bytes.find('\n');
  const std::string_view part = bytes.substr(0, newline == bytes.npos ? bytes.size() : newline + 1);
  // A chunk's own line is no part of the head; it is bounded alone, so that many small chunks are fine.
  const bool in_body = state_ == State::chunk_size || state_ == State::chunk_end;
  if (!in_body) head_bytes_ += part.size();
  if (in_body ? line_.size() + part.size() > 1024 : head_bytes_ > limits_.head_bytes) {
    if (in_body)
      refuse(400, "a chunk's size is longer than 1024 bytes");
    else if (state_ == State::request_line)
      refuse(414, "the request line is longer than " + std::to_string(limits_.head_bytes) + " bytes");
    else
      refuse(431, "the header is longer than " + std::to_string(limits_.head_bytes) + " bytes");
    return false;
  }
  line_ += part;
  bytes.remove_prefix(part.size());
  if (newline == bytes.npos || line_.empty() || line_.back() != '\n') return false;
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r') {
    refuse(400, "a line ends without a carriage return");
    return false;
  }
  line_.resize(line_.size() - 2);
  if (line_.find_first_of(std::string_view("\r\0", 2)) != line_.npos) {
    refuse(400, "a line holds a carriage return or a NUL");
    return false;
  }
  return true;
}

void RequestParser::on_line() {
  switch (state_) {
    case State::request_line: return on_request_line();
    case State::fields: return line_.empty() ? on_head_end() : on_field();
    case State::chunk_size: return on_chunk_size();
    case State::chunk_end:
      if (!line_.empty()) return refuse(400, "a chunk is longer than its size");
      state_ = State::chunk_size;
      return;
    case State::trailer:  // bounded, and not looked at
      if (line_.empty()) state_ = State::done;
      return;
    default: return;
  }
}

void RequestParser::on_request_line() {
  if (line_.empty() && !request_.method.size()) return;  // RFC 9112, 2.2: an empty line before a request is skipped
  const size_t first = line_.find(' '), last = line_.rfind(' ');
  if (first == line_.npos || first == last) return refuse(400, "the request line is not 'METHOD /path HTTP/1.1'");
  const std::string_view line = line_, target = line.substr(first + 1, last - first - 1),
                         version = line.substr(last + 1);
  request_.method = line.substr(0, first);
  if (!is_token(request_.method)) return refuse(400, "the method is no token");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return refuse(505, "expected HTTP/1.1");
  request_.http_1_0 = http_1_0_ = version == "HTTP/1.0";
  request_.keep_alive = !http_1_0_;
  const size_t question = target.find('?');
  if (target.empty() || target[0] != '/' || !decode_path(target.substr(0, question), request_.path))
    return refuse(400, "the target is no path");
  for (const char c : target)
    if (uint8_t(c) <= ' ' || c == 127) return refuse(400, "the target holds a space or a control character");
  if (question != target.npos) request_.query = target.substr(question + 1);
  state_ = State::fields;
}

void RequestParser::on_field() {
  const std::string_view line = line_;
  const size_t colon = line.find(':');
  if (colon == line.npos || !is_token(line.substr(0, colon))) return refuse(400, "a header field is not 'name: value'");
  if (request_.fields.size() == limits_.fields)
    return refuse(431, "more than " + std::to_string(limits_.fields) + " header fields");
  const std::string_view value = trimmed(line.substr(colon + 1));
  for (const char c : value)
    if ((uint8_t(c) < ' ' && c != '\t') || c == 127) return refuse(400, "a header field holds a control character");
  std::string name = lower(line.substr(0, colon));
  const bool once = name == "host" || name == "content-length" || name == "transfer-encoding" || name == "origin" ||
                    name == "content-type";
  if (once && request_.has(name)) return refuse(400, "the field '" + name + "' appears twice");
  request_.fields.emplace_back(std::move(name), value);
}

void RequestParser::on_head_end() {
  if (!http_1_0_ && !request_.has("host")) return refuse(400, "the field 'host' is missing");
  const std::string connection = lower(request_.field("connection"));
  if (connection.find("close") != connection.npos) request_.keep_alive = false;
  if (request_.has("expect")) {
    if (lower(request_.field("expect")) != "100-continue")
      return refuse(417, "the only expectation that is met is 100-continue");
    wants_continue_ = true;
  }
  if (request_.has("transfer-encoding")) {
    if (request_.has("content-length")) return refuse(400, "both content-length and transfer-encoding");
    if (lower(request_.field("transfer-encoding")) != "chunked")
      return refuse(501, "the only transfer encoding that is read is chunked");
    state_ = State::chunk_size;
    return;
  }
  if (!request_.has("content-length")) {
    state_ = State::done;
    return;
  }
  const int64_t length = number_of(request_.field("content-length"), 10, limits_.body_bytes);
  if (length == -1) return refuse(400, "content-length is no number");
  if (length == -2) return refuse(413, "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes");
  left_ = uint64_t(length);
  state_ = left_ == 0 ? State::done : State::body;
}

void RequestParser::on_chunk_size() {
  const std::string_view line = line_;
  const int64_t size =
      number_of(trimmed(line.substr(0, line.find(';'))), 16, limits_.body_bytes - request_.body.size());
  if (size == -1) return refuse(400, "a chunk's size is no hexadecimal number");
  if (size == -2) return refuse(413, "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes");
  left_ = uint64_t(size);
  state_ = left_ == 0 ? State::trailer : State::chunk;
}

void RequestParser::refuse(int status, std::string why) {
  state_ = State::refused;
  status_ = status;
  why_ = std::move(why);
  request_.keep_alive = false;
}

}  // namespace puna::http
