// api_models.cpp -- endpoints that compute no answer: models, tokens, metrics.
#include "api_call.h"

namespace puna::serve {
namespace {

std::string model_json(const ListedModel& m, int64_t created) {
  std::string out = R"({"id":)" + json_string(m.name) + R"(,"object":"model","created":)" + std::to_string(created) +
                    R"(,"owned_by":"puna","loaded":)" + (m.loaded ? "true" : "false");
  if (m.max_positions > 0) out += R"(,"max_model_len":)" + std::to_string(m.max_positions);
  if (!m.base.empty()) out += R"(,"parent":)" + json_string(m.base);
  return out + "}";
}

std::string ids_json(const std::vector<int32_t>& ids) {
  std::string out = "[";
  for (const int32_t id : ids) out += (out.size() > 1 ? "," : "") + std::to_string(id);
  return out + "]";
}

std::string token_text(const Tokenizer& tokenizer, int32_t id) {
  return id < 0 ? "null" : json_string(tokenizer.bytes(id));
}

}  // namespace

void Api::list_models(Call& call) {
  std::string data;
  for (const ListedModel& m : models_.list())
    if (!call.key || call.key->may_use(m.name)) data += (data.empty() ? "" : ",") + model_json(m, models_.created());
  send(call, R"({"object":"list","data":[)" + data + "]}");
}

// GET /v1/models/NAME; POST /v1/models/NAME/load and /unload for the owner.
void Api::one_model(Call& call) {
  std::string name = call.request.path.substr(std::string("/v1/models/").size());
  const size_t slash = name.rfind('/');
  const std::string verb = slash == name.npos ? "" : name.substr(slash + 1);
  const bool command = call.request.method == "POST" && (verb == "load" || verb == "unload");
  if (!command && call.request.method != "GET" && call.request.method != "HEAD")
    throw ApiError(405, "expected GET " + call.request.path, "", "method_not_allowed");
  if (command) {
    if (call.key && !call.key->owner)
      throw ApiError(403, "only an owner's key loads and drops models", "", "not_owner");
    name.resize(slash);
    if (verb == "load")
      models_.get(name);
    else
      models_.unload(name);
  }
  for (const ListedModel& m : models_.list())
    if (m.name == name && (!call.key || call.key->may_use(name))) return send(call, model_json(m, models_.created()));
  throw ApiError(404, "there is no model " + json_string(name.substr(0, 120)) + " here", "model", "model_not_found");
}

// {"prompt" | "content": text} or {"messages": [...]} -> {"tokens", "count", "max_model_len"}
void Api::tokenize(Call& call) {
  OrderedJson body = parse_body(call.request.body);
  const JsonGuard guard(body);
  Fields f(body, "");
  const std::string name = f.text("model");
  const bool add = f.flag("add_special_tokens", true), parse = f.flag("parse_special", true);
  const bool strings = f.flag("return_token_strs");
  std::vector<int32_t> ids;
  const auto go_on = [&] { return !call.reply.gone(); };
  const Watch watch(go_on);
  std::optional<ChosenModel> chosen;
  if (f.has("messages")) {
    std::string chat = R"({"model":)" + json_string(name) + R"(,"messages":)" + f.require("messages").dump();
    if (const OrderedJson* tools = f.get("tools")) chat += R"(,"tools":)" + tools->dump();
    f.refuse_unless("add_generation_prompt", {"true"}, "an answer is always asked for here");
    f.done();
    const ChatRequest r = read_body(chat + "}", [&](const OrderedJson& j) { return read_chat(j, o_.limits); });
    chosen = choose(call, name);
    ids = prepare_chat(r, *chosen, watch).prompt.tokens;
  } else {
    const std::string text = f.has("prompt") ? f.require_text("prompt") : f.require_text("content");
    f.done();
    chosen = choose(call, name);
    ids = encode_prompt(chosen->model().require_tokenizer(), text, parse, add, watch);
  }
  std::string pieces;
  if (strings)
    for (const int32_t id : ids)
      pieces += (pieces.empty() ? "[" : ",") + token_text(chosen->model().require_tokenizer(), id);
  send(call, R"({"count":)" + std::to_string(ids.size()) + R"(,"max_model_len":)" +
                 std::to_string(chosen->loaded->max_positions) + R"(,"tokens":)" + ids_json(ids) + R"(,"token_strs":)" +
                 (strings ? (pieces.empty() ? "[]" : pieces + "]") : "null") + "}");
}

void Api::detokenize(Call& call) {
  OrderedJson body = parse_body(call.request.body);
  const JsonGuard guard(body);
  Fields f(body, "");
  const std::string name = f.text("model");
  std::vector<std::string> texts;
  std::vector<std::vector<int32_t>> tokens;
  const OrderedJson& list = f.require("tokens");
  if (!list.is_array()) refuse("tokens", "'tokens' is no list of token ids");
  f.done();
  const ChosenModel chosen = choose(call, name);
  std::string text;
  if (!list.empty()) {
    read_inputs(list, "tokens", 1, texts, tokens);
    if (tokens.size() != 1) refuse("tokens", "'tokens' is no list of token ids");
    require_ids(tokens[0], chosen, "tokens");
    text = chosen.model().require_tokenizer().decode(tokens[0], true);
  }
  send(call, R"({"prompt":)" + json_string(text) + R"(,"content":)" + json_string(text) + "}");
}

// What lm-eval and others ask for: special tokens and the chat template.
void Api::tokenizer_info(Call& call) {
  const ChosenModel chosen = choose(call, "");
  const Tokenizer& t = chosen.model().require_tokenizer();
  const ChatTemplate* chat = chosen.model().chat_template();
  std::string stops;
  for (const int32_t id : t.specials().stop) stops += (stops.empty() ? "" : ",") + token_text(t, id);
  send(call, R"({"tokenizer_class":"puna","vocab_size":)" + std::to_string(t.size()) + R"(,"model_max_length":)" +
                 std::to_string(chosen.loaded->max_positions) + R"(,"bos_token":)" + token_text(t, t.specials().bos) +
                 R"(,"eos_token":)" + token_text(t, t.specials().eos) + R"(,"pad_token":null,"stop_tokens":[)" + stops +
                 R"(],"add_bos_token":)" + (t.specials().add_bos ? "true" : "false") + R"(,"chat_template":)" +
                 (chat ? json_string(chat->source()) : "null") + "}");
}

void Api::metrics(Call& call) {
  const auto& allocator = *models_.context().allocator();
  const http::ServerCounts counts = counts_ ? counts_() : http::ServerCounts{};
  send(call, metrics_.text(models_.load(), counts, allocator.used(), allocator.limit()),
       "text/plain; version=0.0.4; charset=utf-8");
}

void Api::rerank(Call&) {
  refuse("model",
         "no model here ranks documents: a ranker reads query and document together and has a head for their score. "
         "For similarity compare vectors of /v1/embeddings",
         "not_supported");
}

}  // namespace puna::serve
