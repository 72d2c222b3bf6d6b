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

bool is_bare_key(const std::string& key) {
  constexpr std::string_view kNot = "=(),:[]{}'\"#\\";
  bool fine = !key.empty() && key.size() <= 256 && uint8_t(key[0] - '0') > 9;
  for (const char c : key) fine = fine && uint8_t(c) > 0x20 && c != 0x7f && kNot.find(c) == kNot.npos;
  return fine;
}

std::string keywords_of(const WrittenCall& call, const OrderedJson& arguments) {
  std::string out;
  for (auto it = arguments.begin(); it != arguments.end(); ++it) {
    PUNA_REQUIRE(is_bare_key(it.key()), "tool call '%s': '%.80s' cannot be a keyword of a Python call",
                 call.name.c_str(), it.key().c_str());
    out += (out.empty() ? "" : ", ") + it.key() + "=" + python_expression(*it);
  }
  return out;
}

std::string gemma_text(const WrittenCall& call, const std::string& text) {
  PUNA_REQUIRE(text.find(tools::kGemmaQuote) == text.npos, "tool call '%s': a text has Gemma's quote <|\"|> in it",
               call.name.c_str());
  return std::string(tools::kGemmaQuote) + text + std::string(tools::kGemmaQuote);
}

// Braces and brackets as in JSON, keys bare where they can be, texts as they are between two quotes of Gemma's own.
std::string gemma_value(const WrittenCall& call, const OrderedJson& v, bool braces) {  // no deeper than the parser
  if (v.is_string()) return gemma_text(call, v.get_ref<const std::string&>());
  if (!v.is_structured()) return json_text(v);
  std::string out;
  for (auto it = v.begin(); it != v.end(); ++it) {
    if (it != v.begin()) out += ',';
    if (v.is_object()) out += (is_bare_key(it.key()) ? it.key() : gemma_text(call, it.key())) + ":";
    out += gemma_value(call, *it, true);
  }
  if (!braces) return out;
  return v.is_object() ? "{" + out + "}" : "[" + out + "]";
}

void add_arguments(const ToolFormat& format, const WrittenCall& call, const OrderedJson& arguments,
                   tools::Segments& out) {
  switch (format.arguments) {
    case tools::ArgumentForm::json: return out.add(call.arguments);
    case tools::ArgumentForm::python: return out.add(keywords_of(call, arguments));
    case tools::ArgumentForm::gemma: return out.add_own(gemma_value(call, arguments, false), tools::kGemmaQuote);
  }
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
    add_arguments(format, call, arguments, out);
    out.add_own(format.after);
  }
  out.add_own(format.end);
  return out.take();
}

}  // namespace puna
