// convert.cpp -- the pieces of a chat request that both converters write.
#include "convert.h"

#include "json_out.h"

namespace puna::serve {

std::string text_part(std::string_view text) { return JsonObject().text("type", "text").text("text", text).str(); }

std::string image_url_part(std::string_view url) {
  return JsonObject().text("type", "image_url").json("image_url", JsonObject().text("url", url).str()).str();
}

std::string named_function(std::string_view name) {
  return JsonObject().text("type", "function").json("function", JsonObject().text("name", name).str()).str();
}

std::string function_call(std::string_view id, std::string_view name, std::string_view arguments) {
  const std::string function = JsonObject().text("name", name).text("arguments", arguments).str();
  return JsonObject().text("id", id).text("type", "function").json("function", function).str();
}

ChatRequest read_chat_text(const std::string& chat, const RequestLimits& limits, OwnNames own_names) {
  try {
    ChatRequest r = read_body(chat, [&](const OrderedJson& json) { return read_chat(json, limits); });
    r.own_names = std::move(own_names);
    return r;
  } catch (ApiError& e) {
    own_names.apply(e);
    throw;
  }
}

}  // namespace puna::serve
