// puna serve: the protocols of OpenAI and Anthropic over HTTP, and a chat page. docs/serving.md
#include <filesystem>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "api.h"
#include "base/os.h"
#include "common.h"
#include "puna/base/error.h"
#include "serve_page.h"
#include "verbs.h"

namespace puna::cli {
namespace {

using namespace puna::serve;

struct ServeFlags {
  ModelFlags model;
  std::vector<std::string> models, adapters, origins;
  std::string host = "127.0.0.1", keys, draft, kv_type = "f16", log = "text", pooling = "mean", memory;
  int port = 8080, draft_tokens = 0, parallel = 32, queue = 256, connections = 256;
  int64_t ctx = 0;
  int drain = 30;
  bool log_content = false, no_page = false;
};

// "4G", "512M", "1000000"
uint64_t bytes_of(const std::string& text) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const std::string unit = text.substr(digits);
  const int shift = unit.empty() ? 0 : unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : -1;
  PUNA_REQUIRE(digits > 0 && digits < 16 && shift >= 0, "--memory-limit is '%s', expected bytes, as 512M or 4G",
               text.c_str());
  return std::stoull(text.substr(0, digits)) << shift;
}

std::pair<std::string, std::string> split(const std::string& text, char at) {
  const size_t found = text.find(at);
  if (found == text.npos) return {"", text};
  return {text.substr(0, found), text.substr(found + 1)};
}

// "NAME=PATH", or a path, whose last part without .gguf is the name.
ModelSpec spec_of(const std::string& given) {
  auto [name, path] = split(given, '=');
  if (name.find('/') != name.npos) name.clear(), path = given;  // a path with '=' in it
  ModelSpec s;
  s.path = path;
  s.name = name.empty() ? std::filesystem::path(path).lexically_normal().filename().string() : name;
  if (s.name.empty()) s.name = std::filesystem::path(path).parent_path().filename().string();
  if (name.empty() && s.name.ends_with(".gguf")) s.name.resize(s.name.size() - 5);
  PUNA_REQUIRE(!s.name.empty() && s.name.find_first_of(":/ ") == s.name.npos,
               "a model is called '%s', which must not hold ':', '/' or a space: give NAME=PATH", s.name.c_str());
  return s;
}

std::vector<ModelSpec> specs_of(const ServeFlags& f) {
  std::vector<ModelSpec> specs;
  for (const std::string& given : f.models) {
    specs.push_back(spec_of(given));
    specs.back().options.packed_path = specs.size() == 1 ? f.model.packed : "";
    specs.back().options.vision.projector_path = specs.size() == 1 ? f.model.projector : "";
    specs.back().draft = specs.size() == 1 ? f.draft : "";
    for (size_t i = 0; i + 1 < specs.size(); ++i)
      PUNA_REQUIRE(specs[i].name != specs.back().name, "two models are called '%s': give NAME=PATH",
                   specs[i].name.c_str());
  }
  for (const std::string& given : f.adapters) {  // NAME=PATH of the first model, MODEL:NAME=PATH of another
    const auto [full, path] = split(given, '=');
    auto [base, name] = split(full, ':');
    PUNA_REQUIRE(!name.empty(), "--adapter is '%s', expected NAME=FOLDER or MODEL:NAME=FOLDER", given.c_str());
    ModelSpec* of = base.empty() ? &specs.front() : nullptr;
    for (ModelSpec& s : specs)
      if (s.name == base) of = &s;
    PUNA_REQUIRE(of, "--adapter %s: no model is called '%s'", given.c_str(), base.c_str());
    of->adapters[name] = path;
  }
  return specs;
}

// Keys and values come and go in small blocks, and glibc keeps what is freed between two of them: given back now and
// then, a server that has run for hours takes what it holds.
class FreeMemory {
 public:
  FreeMemory() {
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 2);
#endif
  }
  void give_back(uint64_t requests) {
    const auto now = std::chrono::steady_clock::now();
    if (requests == requests_ || now - last_ < std::chrono::seconds(5)) return;
    requests_ = requests;
    last_ = now;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
  }

 private:
  uint64_t requests_ = 0;
  std::chrono::steady_clock::time_point last_ = {};
};

void run(const ServeFlags& f) {
  Interrupt interrupt;
  FreeMemory memory;
  PUNA_REQUIRE(f.port >= 0 && f.port <= 65535, "--port is %d, expected 0 to 65535", f.port);
  ApiOptions api_options;
  api_options.host = f.host;
  api_options.loopback = http::is_loopback(f.host);
  api_options.origins = f.origins;
  api_options.log_content = f.log_content;
  api_options.page = !f.no_page;
  api_options.pooling = f.pooling == "last" ? Pooling::last : Pooling::mean;
  PUNA_REQUIRE(f.pooling == "mean" || f.pooling == "last", "--pooling is '%s', expected mean or last",
               f.pooling.c_str());
  Keys keys;
  if (!f.keys.empty()) keys = Keys::parse(os::read_file(f.keys, 1 << 20), f.keys);
  if (!api_options.loopback && keys.empty())
    fail(Status::invalid_argument,
         "--host %s is reached from other machines: give --keys FILE with an API key for each who may ask",
         f.host.c_str());
  PUNA_REQUIRE(f.log == "text" || f.log == "json" || f.log == "none", "--log is '%s', expected text, json or none",
               f.log.c_str());
  Log log(f.log == "json" ? Log::Form::json : f.log == "none" ? Log::Form::none : Log::Form::text);

  BackendOptions backend;
  backend.session.max_positions = f.ctx;
  backend.session.kv_type = weight_type(f.kv_type);
  backend.max_running = f.parallel;
  backend.max_queued = f.queue;
  backend.draft_tokens = f.draft_tokens > 0 ? f.draft_tokens : 4;
  ModelFlags machine = f.model;
  if (!f.memory.empty()) machine.memory_limit = bytes_of(f.memory);
  Models models(machine.make_context(), specs_of(f), backend);
  try {
    models.get("");  // the first is there from the start, the others when they are asked for
  } catch (const ApiError& e) {
    fail(Status::bad_file, "%s", e.what());
  }

  Api api(models, std::move(keys), api_options, log);
  http::ServerOptions options;
  options.host = f.host;
  options.port = f.port;
  options.connections = size_t(f.connections);
  options.limits.body_bytes = size_t(32) << 20;
  options.quick = [&](const http::Request& r) { return api.quick(r); };
  options.refused = [&](const http::Request& r) { return api.draining_answer(r); };
  {
    http::Server server(options, http::Server::Handler(
                                     [&](const http::Request& r, const http::Reply& reply) { api.handle(r, reply); }));
    api.set_counts([&] { return server.counts(); });
    print_address(f.host, server.port());
    while (!interrupt.requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      memory.give_back(api.answered());
    }
    log.note("shutting down: answers under way are finished");
    api.drain();
    if (!server.drain(f.drain)) log.note("answers were still under way after " + std::to_string(f.drain) + " s");
  }
  models.clear();
}

}  // namespace

void add_serve(CLI::App& app) {
  const auto f = std::make_shared<ServeFlags>();
  const Verb verb(app, "serve",
                  "Answer over HTTP as OpenAI and Anthropic do, with a chat page at /; SIGTERM or Ctrl-C lets answers "
                  "under way finish");
  verb.option(
          "MODEL", f->models,
          "GGUF files or Hugging Face folders, PATH or NAME=PATH; the first is loaded at once, others when asked for")
      .required();
  verb.option("--host", f->host, "address to listen at (default: 127.0.0.1, this machine alone)");
  verb.option("--port", f->port, "port; 0 = any that is free (default: 8080)").within(0, 65535);
  verb.option("--keys", f->keys, "a file of API keys, 'NAME SECRET [requests=N] [models=A,B] [owner]' a line");
  verb.option("--adapter", f->adapters, "NAME=FOLDER: a LoRA adapter, asked for as MODEL:NAME");
  verb.option("--memory-limit", f->memory, "most memory for models, keys and values, and scratch: 512M, 4G");
  verb.option("--ctx", f->ctx, "most tokens of a prompt and its answer (default: the model's limit)").at_least(0);
  verb.option("--kv-type", f->kv_type, "how keys and values are kept: f16 (default) or q8_0, half the memory");
  verb.option("--parallel", f->parallel, "answers that are computed at once (default: 32)").within(1, 1024);
  verb.option("--queue", f->queue, "requests that may wait; one more is refused (default: 256)").within(1, 100000);
  verb.option("--connections", f->connections, "open connections at once (default: 256)").within(8, 10000);
  verb.option("--draft", f->draft,
              "a smaller model with the first one's vocabulary that guesses: same answers, sooner");
  verb.option("--draft-tokens", f->draft_tokens, "most that it guesses at once (default: 4)").within(0, 64);
  verb.option("--pooling", f->pooling, "of embeddings: mean (default) or last");
  verb.option("--cors", f->origins, "an origin whose pages may ask, https://app.example; '*' = all (default: none)");
  verb.option("--log", f->log, "lines on standard error: text (default), json or none");
  verb.flag("--log-content", f->log_content, "with what was asked (default: prompts are never logged)");
  verb.flag("--no-page", f->no_page, "no chat page");
  verb.option("--drain", f->drain, "seconds that answers under way get at the end (default: 30)").within(0, 3600);
  f->model.add_computing(verb);
  verb.output("--packed", f->model.packed, "file for the first model's packed weights: made when missing, then mapped");
  verb.option("--mmproj", f->model.projector, "a GGUF with the first model's vision encoder");
  verb.run([f] { run(*f); });
}

}  // namespace puna::cli
