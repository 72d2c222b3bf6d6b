// requests.h -- what is asked of a model, whatever protocol asked: read from JSON, every value within its limits, and
// nothing computed yet.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "fields.h"
#include "own_names.h"
#include "puna/chat/tool_constraint.h"
#include "puna/chat/tools.h"
#include "puna/runtime/sampler.h"

namespace puna::serve {

// Bounds of one request. Past them it is a 400 that names the field.
struct RequestLimits {
  size_t messages = 4096, tools = 128, images = 16;
  size_t stops = 16, stop_bytes = 256;  // stop strings
  size_t biased = 1024;                 // entries of logit_bias
  size_t prompts = 256, answers = 32;   // of one completions request; of one prompt
  size_t embeddings = 256;              // inputs
  size_t grammar_bytes = 256 << 10;     // of a schema, a regular expression, a grammar
  int64_t max_tokens = 1 << 20;
};

// What an answer must be.
struct Constraint {
  enum class Kind : uint8_t { none, any_object, json_schema, regex, gbnf, choices };
  Kind kind = Kind::none;
  std::string text;
  std::vector<std::string> choices;
  std::string param;  // the field it came from
};

struct Sampling {
  SamplerOptions sampler;
  bool seeded = false;
  int64_t max_tokens = 0;  // 0 = up to the context
  std::vector<std::string> stop;
  int top_logprobs = -1;  // -1 = no log-probabilities
  bool ignore_eos = false;
  int n = 1, best_of = 0;
};

// A message as templates take it, in JSON.
struct ChatMessage {
  std::string role, content = {}, more = {};  // more: further members, each ",\"name\":value"
  std::optional<std::string> text = {};       // of the content, if that is one text
  std::string tool_calls = {};                // a JSON list; "" = none
  std::string told_calls = {};                // the same as text: {"name", "parameters"} a line
  std::string json() const;
};

struct ChatRequest {
  std::string model;
  std::vector<ChatMessage> messages;
  std::vector<std::string> images;  // files, in the order of their places
  Tools tools;
  ToolChoice choice;
  std::vector<std::string> allowed;  // tools of `tools` that may be called; empty = all
  Constraint format;
  Sampling sampling;
  std::string template_variables;  // members, "\"name\":value," each
  bool stream = false, include_usage = false;
  OwnNames own_names;  // where another protocol was converted
};

struct CompletionRequest {
  std::string model;
  std::vector<std::string> texts;            // either these
  std::vector<std::vector<int32_t>> tokens;  // or these
  Constraint format;
  Sampling sampling;
  bool echo = false, stream = false, include_usage = false;
};

struct EmbeddingRequest {
  std::string model;
  std::vector<std::string> texts;
  std::vector<std::vector<int32_t>> tokens;
  bool base64 = false;
  int64_t dimensions = 0;
};

OrderedJson parse_body(const std::string& body);  // ApiError(400)
// read(the body), which is then taken apart so that its end needs no memory (JsonGuard).
template <class Read>
auto read_body(const std::string& body, Read&& read) {
  OrderedJson json = parse_body(body);
  const JsonGuard guard(json);
  return read(json);
}
ChatRequest read_chat(const OrderedJson& body, const RequestLimits& limits);
CompletionRequest read_completion(const OrderedJson& body, const RequestLimits& limits);
EmbeddingRequest read_embedding(const OrderedJson& body, const RequestLimits& limits);

// ---- what several protocols share ----

// temperature, top_p, penalties, seed, logit_bias, and our extensions (top_k, min_p, typical_p, repetition_penalty).
void read_sampler(Fields& f, const RequestLimits& limits, Sampling& s);
void read_stop(Fields& f, const char* name, const RequestLimits& limits, Sampling& s);
// stream, stream_options.
void read_stream(Fields& f, bool& stream, bool& include_usage);
// regex, grammar, choices: at most one, and none beside a format that is there already.
void read_extensions(Fields& f, const RequestLimits& limits, Constraint& format);
// {"type": "text" | "json_object" | "json_schema", ...}; `nested`: the schema lies in a field "json_schema".
void read_format(Fields& f, const char* name, bool nested, const RequestLimits& limits, Constraint& format);
void read_schema(const OrderedJson& schema, const std::string& param, const RequestLimits& limits, Constraint& format);
// The bytes of "data:image/png;base64,...". ApiError(400) for every other URL: nothing is fetched.
std::string read_data_url(const std::string& url, const std::string& param);
// A string, strings, ids, or lists of ids.
void read_inputs(const OrderedJson& from, const std::string& param, size_t most, std::vector<std::string>& texts,
                 std::vector<std::vector<int32_t>>& tokens);
void read_tools(Fields& f, const RequestLimits& limits, ChatRequest& r);
// Tools that may be called go together with a schema, and no other form.
void require_tools_and_format(const ChatRequest& r);

}  // namespace puna::serve
