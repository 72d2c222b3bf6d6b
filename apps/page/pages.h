// pages.h -- the pages that programs show: the files of this folder, inside the program. Of a page called chat, "/" is
// chat.html, and its files are those under chat/ and shared/.
#pragma once
#include <optional>
#include <string_view>

#include "http/answer.h"
#include "http/request.h"

namespace puna::pages {

// The file that a GET or HEAD names, with a policy that lets a page load its own server's files and nothing else; or
// nothing: there is none.
std::optional<http::Answer> page_answer(std::string_view page, const http::Request& request);

}  // namespace puna::pages
