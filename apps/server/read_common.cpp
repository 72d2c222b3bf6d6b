// read_common.cpp -- fields that several protocols have.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "json_out.h"
#include "requests.h"

namespace puna::serve {

OrderedJson parse_body(const std::string& body) {
  try {
    return parse_json_argument(body, "the body");
  } catch (const Error& e) {
    throw ApiError(400, e.what(), "", "invalid_json");
  }
}

void read_sampler(Fields& f, const RequestLimits& limits, Sampling& s) {
  SamplerOptions& o = s.sampler;
  o.temperature = float(f.number("temperature", 1, 0, 2));
  o.top_p = float(f.number("top_p", 1, 0, 1));
  if (o.top_p <= 0) o.top_p = 1e-6f;  // 0 is the most likely token alone
  o.frequency_penalty = float(f.number("frequency_penalty", 0, -2, 2));
  o.presence_penalty = float(f.number("presence_penalty", 0, -2, 2));
  o.top_k = int32_t(f.integer("top_k", 0, 0, 1 << 20));
  o.min_p = float(f.number("min_p", 0, 0, 0.9999));
  o.typical_p = float(f.number("typical_p", 1, 0.0001, 1));
  o.repetition_penalty = float(f.number("repetition_penalty", 1, 0.01, 10));
  s.seeded = f.has("seed");
  o.seed = uint64_t(f.integer("seed", 0, INT64_MIN, INT64_MAX));
  s.ignore_eos = f.flag("ignore_eos");
  const OrderedJson* bias = f.object("logit_bias");
  if (!bias) return;
  if (bias->size() > limits.biased)
    refuse("logit_bias", "'logit_bias' has " + std::to_string(bias->size()) + " entries, expected at most " +
                             std::to_string(limits.biased));
  for (const auto& [key, value] : bias->items()) {
    const bool digits = !key.empty() && key.size() <= 9 && key.find_first_not_of("0123456789") == key.npos;
    if (!digits) refuse("logit_bias", "'logit_bias' has the key " + json_string(key.substr(0, 40)) + ", no token id");
    if (!value.is_number() || !(std::fabs(value.get<double>()) <= 100))
      refuse("logit_bias", "'logit_bias." + key + "' is no number from -100 to 100");
    o.logit_bias.emplace_back(std::stoi(key), value.get<float>());
  }
}

void read_stream(Fields& f, bool& stream, bool& include_usage) {
  stream = f.flag("stream");
  const OrderedJson* options = f.object("stream_options");
  if (!options) return;
  if (!stream) refuse("stream_options", "'stream_options' needs 'stream': true");
  Fields o(*options, "stream_options");
  include_usage = o.flag("include_usage");
  o.ignore({"include_obfuscation"});
  o.done();
}

void read_stop(Fields& f, const char* name, const RequestLimits& limits, Sampling& s) {
  const OrderedJson* stop = f.get(name);
  if (!stop) return;
  if (stop->is_string()) {
    s.stop.push_back(stop->get<std::string>());
  } else {
    for (const OrderedJson& text : *f.list(name, limits.stops)) {
      if (!text.is_string()) refuse(name, std::string("'") + name + "' holds something that is no text");
      s.stop.push_back(text.get<std::string>());
    }
  }
  for (const std::string& text : s.stop)
    if (text.empty() || text.size() > limits.stop_bytes)
      refuse(name, std::string("a text of '") + name + "' has " + std::to_string(text.size()) +
                       " bytes, expected 1 to " + std::to_string(limits.stop_bytes));
}

namespace {

void set(Constraint& c, Constraint::Kind kind, std::string text, const std::string& param,
         const RequestLimits& limits) {
  if (c.kind != Constraint::Kind::none) refuse(param, "'" + param + "' and '" + c.param + "' cannot hold together");
  if (text.size() > limits.grammar_bytes)
    refuse(param, "'" + param + "' has " + std::to_string(text.size()) + " bytes, expected at most " +
                      std::to_string(limits.grammar_bytes));
  c.kind = kind;
  c.text = std::move(text);
  c.param = param;
}

}  // namespace

void read_schema(const OrderedJson& schema, const std::string& param, const RequestLimits& limits, Constraint& format) {
  if (!schema.is_object() && !schema.is_boolean()) refuse(param, "'" + param + "' is no JSON Schema");
  set(format, Constraint::Kind::json_schema, schema.dump(), param, limits);
}

void read_format(Fields& f, const char* name, bool nested, const RequestLimits& limits, Constraint& format) {
  const OrderedJson* object = f.object(name);
  if (!object) return;
  Fields r(*object, f.path(name));
  const std::string type = r.choice("type", {"text", "json_object", "json_schema"});
  if (type.empty()) refuse(r.path("type"), "'" + r.path("type") + "' is missing");
  if (type == "json_object") set(format, Constraint::Kind::any_object, R"({"type":"object"})", f.path(name), limits);
  if (type == "json_schema") {
    const OrderedJson& inner = nested ? r.require("json_schema") : *object;
    Fields s(inner, nested ? r.path("json_schema") : r.path());
    if (!nested) s.ignore({"type"});
    require_name(s.require_text("name"), s.path("name"));
    s.text("description");
    s.flag("strict");  // an answer always keeps to its schema
    read_schema(s.require("schema"), s.path("schema"), limits, format);
    s.done();
    if (!nested) return;
  }
  r.done();
}

void read_extensions(Fields& f, const RequestLimits& limits, Constraint& format) {
  if (f.has("regex")) set(format, Constraint::Kind::regex, f.text("regex"), "regex", limits);
  if (f.has("grammar")) set(format, Constraint::Kind::gbnf, f.text("grammar"), "grammar", limits);
  if (const OrderedJson* choices = f.list("choices", 4096)) {
    size_t bytes = 0;
    std::vector<std::string> texts;
    for (const OrderedJson& c : *choices) {
      if (!c.is_string()) refuse("choices", "'choices' holds something that is no text");
      texts.push_back(c.get<std::string>());
      bytes += texts.back().size();
    }
    if (texts.empty()) refuse("choices", "'choices' is empty");
    if (bytes > limits.grammar_bytes) refuse("choices", "'choices' has " + std::to_string(bytes) + " bytes");
    set(format, Constraint::Kind::choices, "", "choices", limits);
    format.choices = std::move(texts);
  }
}

std::string read_data_url(const std::string& url, const std::string& param) {
  if (url.compare(0, 5, "data:") != 0)
    refuse(param, "'" + param + "' begins with " + json_string(url.substr(0, 16)) +
                      ": this server fetches nothing; send the picture itself, data:image/png;base64,...");
  const size_t comma = url.find(',');
  const std::string head = url.substr(0, comma == url.npos ? 0 : comma);
  if (head.size() < 7 || head.compare(head.size() - 7, 7, ";base64") != 0)
    refuse(param, "'" + param + "' is not data:image/...;base64,...");
  std::string bytes;
  if (!from_base64(std::string_view(url).substr(comma + 1), bytes) || bytes.empty())
    refuse(param, "'" + param + "' holds something that is not base64");
  return bytes;
}

void read_inputs(const OrderedJson& from, const std::string& param, size_t most, std::vector<std::string>& texts,
                 std::vector<std::vector<int32_t>>& tokens) {
  const auto ids = [&](const OrderedJson& list, const std::string& where) {
    std::vector<int32_t> out;
    out.reserve(list.size());
    for (const OrderedJson& id : list) {
      const auto n = whole_number(id);
      if (!n || *n < 0 || *n > INT32_MAX) refuse(where, "'" + where + "' holds something that is no token id");
      out.push_back(int32_t(*n));
    }
    if (out.empty()) refuse(where, "'" + where + "' holds no tokens");
    tokens.push_back(std::move(out));
  };
  if (from.is_string()) {
    texts.push_back(from.get<std::string>());
    return;
  }
  if (!from.is_array() || from.empty())
    refuse(param, "'" + param + "' is neither a text, a list of texts, a list of token ids nor a list of such lists");
  if (from[0].is_number()) return ids(from, param);
  if (from.size() > most)
    refuse(param,
           "'" + param + "' has " + std::to_string(from.size()) + " items, expected at most " + std::to_string(most));
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i].is_string() && tokens.empty())
      texts.push_back(from[i].get<std::string>());
    else if (from[i].is_array() && texts.empty())
      ids(from[i], at(param, i));
    else
      refuse(at(param, i), "'" + at(param, i) + "' is of another kind than the items before it");
  }
}

}  // namespace puna::serve
