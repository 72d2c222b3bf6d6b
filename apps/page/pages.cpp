#include "pages.h"

#include <string>

#include "files.h"

namespace puna::pages {
namespace {

constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace

std::optional<http::Answer> page_answer(std::string_view page, const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return {};
  const std::string name(page);
  const std::string path = request.path == "/" ? name + ".html" : request.path.substr(1);
  if (path != name + ".html" && !path.starts_with(name + "/") && !path.starts_with("shared/")) return {};
  for (const PageFile& file : page_files())
    if (file.path == path)
      return http::Answer{200,
                          std::string(file.text),
                          file.type,
                          {{"Content-Security-Policy", kPolicy},
                           {"Referrer-Policy", "no-referrer"},
                           {"X-Frame-Options", "DENY"},
                           {"Cache-Control", "no-cache"}}};
  return {};
}

}  // namespace puna::pages
