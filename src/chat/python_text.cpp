#include "chat/python_text.h"

#include <cmath>

#include "chat/jinja/ops.h"

namespace puna {

std::string python_json(const OrderedJson& v) {
  const auto joined = [](const OrderedJson& values, char open, char close) {
    std::string out(1, open);
    for (auto it = values.begin(); it != values.end(); ++it) {
      if (out.size() > 1) out += ", ";
      if (values.is_object()) out += python_json(it.key()) + ": ";
      out += python_json(*it);
    }
    return out + close;
  };
  if (v.is_object()) return joined(v, '{', '}');
  if (v.is_array()) return joined(v, '[', ']');
  if (v.is_number_float())
    return std::isfinite(v.get<double>()) ? jinja::repr_float(v.get<double>())
           : std::isnan(v.get<double>())  ? "NaN"
           : v.get<double>() < 0          ? "-Infinity"
                                          : "Infinity";
  if (const std::string_view digits = digits_of(v); !digits.empty()) return std::string(digits);
  return v.dump(-1, ' ', true, OrderedJson::error_handler_t::replace);
}

std::string python_str(const OrderedJson& v) {
  if (v.is_null()) return "None";
  if (v.is_boolean()) return v.get<bool>() ? "True" : "False";
  return python_json(v);
}

}  // namespace puna
