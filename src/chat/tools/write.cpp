// write.cpp -- calls as the text of a format.
#include "base/json.h"
#include "chat/python_text.h"
#include "chat/tools/format.h"
#include "chat/tools/segments.h"
#include "puna/base/error.h"

namespace puna {
namespace {

std::string python_literal(std::string_view text) {
  constexpr std::string_view kFrom = "\"\\\n\r\t", kTo = "\"\\nrt", kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    if (const size_t at = kFrom.find(c); at != kFrom.npos) {
      out += {'\\', kTo[at]};
    } else if (uint8_t(c) < 0x20 || c == 0x7f) {
      out += {'\\', 'x', kHex[uint8_t(c) >> 4], kHex[c & 15]};
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string python_expression(const OrderedJson& v) {  // no deeper than the parser lets it be
  if (v.is_string()) return python_literal(v.get_ref<const std::string&>());
  if (!v.is_structured()) return python_str(v);
  std::string out(1, v.is_object() ? '{' : '[');
  for (auto it = v.begin(); it != v.end(); ++it) {
    if (out.size() > 1) out += ", ";
    if (v.is_object()) out += python_literal(it.key()) + ": ";
    out += python_expression(*it);
  }
  return out + (v.is_object() ? '}' : ']');
}

std::string keywords_of(const WrittenCall& call, const OrderedJson& arguments) {
  std::string out;
  for (auto it = arguments.begin(); it != arguments.end(); ++it) {
    const std::string& key = it.key();
    constexpr std::string_view kNot = "=(),:[]{}'\"#\\";
    bool fine = !key.empty() && key.size() <= 256 && uint8_t(key[0] - '0') > 9;
    for (const char c : key) fine = fine && uint8_t(c) > 0x20 && c != 0x7f && kNot.find(c) == kNot.npos;
    PUNA_REQUIRE(fine, "tool call '%s': '%.80s' cannot be a keyword of a Python call", call.name.c_str(), key.c_str());
    out += (out.empty() ? "" : ", ") + key + "=" + python_expression(*it);
  }
  return out;
}

}  // namespace

std::vector<ChatSegment> write_tool_calls(const ToolFormat& format, const std::vector<WrittenCall>& calls) {
  if (calls.empty()) return {};
  tools::Segments out(format);
  out.add_own(format.begin);
  for (size_t i = 0; i < calls.size(); ++i) {
    const WrittenCall& call = calls[i];
    OrderedJson arguments;
    const JsonGuard guard(arguments);
    const std::string what = "tool call '" + call.name + "': arguments";
    arguments = parse_json_argument(call.arguments, what.c_str(), Watch(), /*exactly=*/true);
    PUNA_REQUIRE(arguments.is_object(), "tool call '%s': the arguments must be a JSON object", call.name.c_str());
    if (i > 0) out.add_own(format.separator);
    out.add_own(format.before);
    out.add(call.name);
    out.add_own(format.between);
    out.add(format.python ? keywords_of(call, arguments) : call.arguments);
    out.add_own(format.after);
  }
  out.add_own(format.end);
  return out.take();
}

}  // namespace puna
