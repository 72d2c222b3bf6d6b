#include "api.h"

#include <algorithm>

#include "api_call.h"
#include "http/access.h"
#include "http/secrets.h"
#include "page/pages.h"

namespace puna::serve {
namespace {

std::string_view secret_in(const http::Request& r) {
  const std::string_view secret = http::bearer(r.field("authorization"));
  return secret.empty() ? r.field("x-api-key") : secret;
}

bool allowed(const std::vector<std::string>& origins, std::string_view origin) {
  return std::any_of(origins.begin(), origins.end(), [&](const std::string& o) { return o == "*" || o == origin; });
}

// As Anthropic's endpoints are told apart where there is no route: refusals.
Dialect dialect_of(const std::string& path) {
  return path.starts_with("/v1/messages") ? Dialect::anthropic : Dialect::openai;
}

}  // namespace

Api::Api(Models& models, Keys keys, const ApiOptions& options, Log& log)
    : models_(models), keys_(std::move(keys)), o_(options), log_(log) {}

const std::map<std::string, Api::Route, std::less<>>& Api::routes() {
  static const std::map<std::string, Route, std::less<>> all = {
      {"/v1/chat/completions", {"POST", &Api::chat_completions}},
      {"/v1/completions", {"POST", &Api::completions}},
      {"/v1/embeddings", {"POST", &Api::embeddings}},
      {"/v1/responses", {"POST", &Api::responses}},
      {"/v1/messages", {"POST", &Api::messages, Dialect::anthropic}},
      {"/v1/messages/count_tokens", {"POST", &Api::count_tokens, Dialect::anthropic}},
      {"/v1/models", {"GET", &Api::list_models}},
      {"/v1/rerank", {"POST", &Api::rerank}},
      {"/tokenize", {"POST", &Api::tokenize}},
      {"/detokenize", {"POST", &Api::detokenize}},
      {"/tokenizer_info", {"GET", &Api::tokenizer_info}},
      {"/metrics", {"GET", &Api::metrics}},
  };
  return all;
}

std::optional<http::Answer> Api::quick(const http::Request& r) {
  const std::string_view origin = r.field("origin");
  const bool cross = r.has("origin") && allowed(o_.origins, origin);
  const Dialect dialect = dialect_of(r.path);
  if (cross && r.method == "OPTIONS")
    return http::Answer{204,
                        "",
                        "",
                        {{"Access-Control-Allow-Origin", std::string(origin)},
                         {"Access-Control-Allow-Methods", "GET, POST"},
                         {"Access-Control-Allow-Headers", "authorization, content-type, x-api-key, anthropic-version"},
                         {"Access-Control-Max-Age", "600"},
                         {"Vary", "Origin"}}};
  if (const auto why =
          http::refuse_stranger(r, {.loopback = o_.loopback, .host = o_.host, .only_json = true, .any_origin = cross}))
    return error_answer(ApiError(why->status, why->message), dialect);
  const bool read = r.method == "GET" || r.method == "HEAD";
  if (r.path == "/health" && read)
    return draining_ ? http::Answer{503, R"({"status":"draining"})"} : http::Answer{200, R"({"status":"ok"})"};
  if (!o_.page || !read) return {};
  return pages::page_answer("chat", r);
}

http::Answer Api::draining_answer(const http::Request& r) const {
  ApiError e(503, "the server is shutting down", "", "shutting_down");
  e.retry_after = 5;
  return error_answer(e, dialect_of(r.path));
}

void Api::handle(const http::Request& r, const http::Reply& reply) {
  Call call{.request = r, .reply = reply, .id = new_id("req_"), .start = std::chrono::steady_clock::now()};
  call.fields = {{"x-request-id", call.id}};
  if (r.has("origin") && allowed(o_.origins, r.field("origin"))) {
    call.fields.emplace_back("Access-Control-Allow-Origin", std::string(r.field("origin")));
    call.fields.emplace_back("Vary", "Origin");
  }
  call.dialect = dialect_of(r.path);
  try {
    auto route = routes().find(r.path);
    static const Route kModel{"", &Api::one_model};
    const bool model = r.path.starts_with("/v1/models/");
    call.endpoint = route != routes().end() ? r.path : model ? "/v1/models/{model}" : "other";
    authorise(call);
    if (route == routes().end() && !model)
      throw ApiError(404, "there is no " + json_string(r.path.substr(0, 100)) + " here", "", "not_found");
    answer(call, model ? kModel : route->second);
  } catch (const ApiError& e) {
    fail(call, e);
  } catch (const Error& e) {
    fail(call, e.status() == Status::cancelled && reply.gone() ? ApiError(499, "the client has gone") : api_error(e));
  } catch (const std::bad_alloc&) {
    fail(call, ApiError(503, "no memory for this request", "", "out_of_memory"));
  } catch (const std::exception& e) {
    fail(call, ApiError(500, e.what()));
  }
}

void Api::answer(Call& call, const Route& route) {
  const std::string& method = call.request.method;
  if (*route.method && method != route.method && !(method == "HEAD" && std::string_view(route.method) == "GET"))
    throw ApiError(405, "expected " + std::string(route.method) + " " + call.request.path, "", "method_not_allowed");
  (this->*route.endpoint)(call);
}

void Api::authorise(Call& call) const {
  if (keys_.empty()) return;
  const std::string_view secret = secret_in(call.request);
  call.key = keys_.find(secret);
  if (!call.key)
    throw ApiError(401, secret.empty() ? "an API key is needed: Authorization: Bearer KEY" : "the API key is wrong", "",
                   "invalid_api_key");
  call.key_name = call.key->name;
}

// Also where a key's requests at once are counted: whatever asks a model passes here.
ChosenModel Api::choose(const Call& c, const std::string& model) {
  Call& call = const_cast<Call&>(c);
  if (call.key) {
    const std::string name = model.empty() ? models_.list().front().name : model;
    if (!call.key->may_use(name))
      throw ApiError(403, "the key '" + call.key->name + "' may not use this model", "model", "model_not_allowed");
    const std::lock_guard<std::mutex> lock(mutex_);
    int& busy = busy_[call.key->name];
    if (call.key->requests > 0 && busy >= call.key->requests) {
      ApiError e(
          429,
          "the key '" + call.key->name + "' has " + std::to_string(busy) + " requests under way, as many as it may", "",
          "rate_limit_exceeded");
      e.retry_after = 1;
      throw e;
    }
    ++busy;
  } else {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++busy_[""];
  }
  call.slot = std::make_shared<Slot>(*this, call.key_name);
  ChosenModel chosen = models_.get(model);
  call.model = chosen.name;
  return chosen;
}

void Api::send(Call& call, const std::string& body, const char* type) {
  call.slot = nullptr;
  finished(call, Measured{.status = 200, .model = call.model}, "");
  call.reply.send({200, body, type, call.fields});
}

void Api::fail(Call& call, const ApiError& e) {
  http::Answer a = error_answer(e, call.dialect);
  a.fields.insert(a.fields.end(), call.fields.begin(), call.fields.end());
  call.slot = nullptr;
  // A message may quote what was asked; a 500 is ours.
  finished(call, Measured{.status = e.status, .model = call.model},
           e.status == 500 || o_.log_content ? e.message : e.code + (e.param.empty() ? "" : " " + e.param));
  call.reply.send(a);
}

std::function<void(const Measured&)> Api::measure(Call& call) {
  struct Kept {
    http::Request request;
    std::shared_ptr<Slot> slot;
  };
  // The call itself ends before its answer does.
  const auto kept = std::make_shared<Kept>();
  kept->request.method = call.request.method;
  kept->request.path = call.request.path;
  if (o_.log_content) kept->request.body = call.request.body;
  kept->slot = std::move(call.slot);
  return [this, kept, id = call.id, key = call.key_name, endpoint = call.endpoint, start = call.start,
          reply = call.reply](const Measured& m) {
    Call c{.request = kept->request, .reply = reply, .id = id, .key_name = key, .endpoint = endpoint, .start = start};
    kept->slot = nullptr;
    finished(c, m, "");
  };
}

void Api::finished(const Call& c, const Measured& m, const std::string& error) {
  LogLine l{.id = c.id,
            .key = c.key_name,
            .method = c.request.method,
            .path = c.request.path,
            .model = m.model,
            .error = error};
  l.status = m.status;
  l.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - c.start).count();
  l.first_token = m.first_token;
  l.prompt = m.usage.prompt;
  l.completion = m.usage.completion;
  l.cached = m.usage.cached;
  if (o_.log_content) l.content = c.request.body;
  ++answered_;
  metrics_.add(c.endpoint, m.status, l.seconds, m);
  log_.write(l);
}

}  // namespace puna::serve
