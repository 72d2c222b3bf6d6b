#include "grammar/json_schema/uri.h"

namespace puna::grammar {
namespace {

// Bytes of "scheme:", or 0.
size_t scheme_size(std::string_view uri) {
  for (size_t i = 0; i < uri.size(); ++i) {
    const char c = uri[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c == ':') return i == 0 ? 0 : i + 1;
    if (!letter && (i == 0 || ((c < '0' || c > '9') && c != '+' && c != '-' && c != '.'))) return 0;
  }
  return 0;
}

std::string without_dots(std::string_view path) {
  std::string out;
  for (size_t at = 0; at < path.size();) {
    size_t end = path.find('/', at + 1);
    if (end == std::string_view::npos) end = path.size();
    const std::string_view segment = path.substr(at, end - at);
    const bool last = end == path.size();
    if (segment == "/.") {
      if (last) out += '/';
    } else if (segment == "/..") {
      out.resize(out.rfind('/') == std::string::npos ? 0 : out.rfind('/'));
      if (last) out += '/';
    } else {
      out += segment;
    }
    at = end;
  }
  return out;
}

}  // namespace

std::string resolve_uri(std::string_view base, std::string_view reference) {
  if (reference.empty()) return std::string(base);
  if (scheme_size(reference) > 0) return std::string(reference);
  const size_t scheme = scheme_size(base);
  if (reference.substr(0, 2) == "//") return std::string(base.substr(0, scheme)) + std::string(reference);
  size_t root = scheme;  // where the path begins
  if (base.substr(scheme, 2) == "//") {
    root = base.find('/', scheme + 2);
    if (root == std::string_view::npos) root = base.size();
  }
  const std::string_view path = base.substr(root);
  std::string merged;
  if (reference[0] == '/')
    merged = reference;
  else if (path.rfind('/') != std::string_view::npos)
    merged = std::string(path.substr(0, path.rfind('/') + 1)) + std::string(reference);
  else
    merged = (root > scheme ? "/" : "") + std::string(reference);
  return std::string(base.substr(0, root)) + without_dots(merged);
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = char(c | 32);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    out += escape ? char(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i];
    i += escape ? 2 : 0;
  }
  return out;
}

}  // namespace puna::grammar
