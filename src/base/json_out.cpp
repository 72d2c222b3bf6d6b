#include "base/json_out.h"

#include "base/json.h"

namespace puna {

std::string json_string(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_real(double value) { return Json(value).dump(); }

std::string json_strings(std::span<const std::string> texts) {
  JsonList list;
  for (const std::string& t : texts) list.add(json_string(t));
  return list.str();
}

JsonObject& JsonObject::json(std::string_view name, std::string_view value) {
  if (!members_.empty()) members_ += ',';
  members_.append(json_string(name)).append(":").append(value);
  return *this;
}

JsonList& JsonList::add(std::string_view json) {
  if (!elements_.empty()) elements_ += ',';
  elements_ += json;
  return *this;
}

}  // namespace puna
