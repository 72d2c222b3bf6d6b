#include "access.h"

#include <algorithm>
#include <string_view>

#include "base/os.h"

namespace puna::http {
namespace {

constexpr uint64_t kMostFile = uint64_t(64) << 20;

// "name:port" -> "name"; "[::1]:port" -> "::1".
std::string_view host_name(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, std::min(host.find(']'), host.size()) - 1);
  return host.substr(0, host.rfind(':'));
}

// "text/html; charset=utf-8" -> "text/html"
std::string media_type(std::string_view field) {
  std::string type(field.substr(0, field.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  for (char& c : type)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return type;
}

const char* type_of(const std::string& path) {
  static constexpr std::pair<std::string_view, const char*> kTypes[] = {{".html", "text/html; charset=utf-8"},
                                                                        {".css", "text/css; charset=utf-8"},
                                                                        {".js", "text/javascript; charset=utf-8"},
                                                                        {".mjs", "text/javascript; charset=utf-8"},
                                                                        {".json", "application/json"},
                                                                        {".svg", "image/svg+xml"},
                                                                        {".png", "image/png"},
                                                                        {".jpg", "image/jpeg"},
                                                                        {".jpeg", "image/jpeg"},
                                                                        {".webp", "image/webp"},
                                                                        {".gif", "image/gif"},
                                                                        {".ico", "image/x-icon"},
                                                                        {".mp4", "video/mp4"},
                                                                        {".webm", "video/webm"},
                                                                        {".woff2", "font/woff2"},
                                                                        {".txt", "text/plain; charset=utf-8"}};
  for (const auto& [ending, type] : kTypes)
    if (path.ends_with(ending)) return type;
  return "application/octet-stream";
}

}  // namespace

bool is_loopback(const std::string& name) {
  return name == "localhost" || name == "::1" ||
         (name.starts_with("127.") && name.find_first_not_of("0123456789.") == name.npos);
}

std::optional<Refused> refuse_stranger(const Request& request, const AccessRules& rules) {
  const std::string_view asked = request.field("host");
  const std::string name(host_name(asked));
  if (rules.loopback && request.has("host") && !is_loopback(name) && name != rules.host)
    return Refused{403, "this server answers to localhost, 127.0.0.1 and [::1], not to '" + std::string(asked) + "'"};
  const std::string_view origin = request.field("origin");
  if (!rules.any_origin && request.has("origin") && origin != "http://" + std::string(asked) &&
      origin != "https://" + std::string(asked))
    return Refused{403, "a page of another origin, '" + std::string(origin) + "', may not ask"};
  if (request.method != "POST" && request.method != "PUT") return {};
  // What a form of a page can send is no JSON. curl sends form-urlencoded by default, and sends no origin.
  const std::string type = media_type(request.field("content-type"));
  const bool form = type == "application/x-www-form-urlencoded" && !request.has("origin");
  const bool taken = type == "application/json" || (!rules.only_json && (type.empty() || form));
  if (taken || (rules.only_json && type.empty() && request.body.empty())) return {};
  return Refused{415, "the body is '" + type + "', expected application/json"};
}

std::optional<Answer> refuse_stranger(const Request& request, bool loopback, const std::string& host) {
  const auto refused = refuse_stranger(request, AccessRules{.loopback = loopback, .host = host});
  if (!refused) return {};
  return refusal(refused->status, refused->message);
}

std::optional<Answer> page_file(const std::string& folder, const Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return {};
  std::string path = folder;
  for (size_t at = 0; at < request.path.size();) {  // "/a/b": one part after the other
    const size_t next = std::min(request.path.find('/', at + 1), request.path.size());
    const std::string part = request.path.substr(at + 1, next - at - 1);
    if (part.starts_with('.') || part.find('\\') != part.npos) return {};
    if (!part.empty()) path += "/" + part;
    at = next;
  }
  if (os::is_directory(path)) path += "/index.html";
  if (!os::is_file(path)) return {};
  return Answer{200, os::read_file(path, kMostFile), type_of(path)};
}

}  // namespace puna::http
