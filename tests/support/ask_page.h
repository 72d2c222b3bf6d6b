// ask_page.h -- a request to a page's API without a connection.
#pragma once
#include <string>

#include "http/answer.h"
#include "http/request.h"

namespace puna::test {

// A GET, or a POST where there is a body.
template <class Api>
http::Answer ask_page(Api& api, const std::string& path, const std::string& body, const std::string& token,
                      const std::string& host) {
  http::Request r;
  r.method = body.empty() ? "GET" : "POST";
  r.path = path;
  r.body = body;
  r.fields = {{"host", host}};
  if (!body.empty()) r.fields.emplace_back("content-type", "application/json");
  if (!token.empty()) r.fields.emplace_back("authorization", "Bearer " + token);
  if (auto quick = api.quick(r)) return *quick;
  return api.answer(r);
}

}  // namespace puna::test
