#include "common.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>

#ifdef _WIN32
#include <io.h>
#else
#include <sys/resource.h>
#include <unistd.h>
#endif

#include "base/file_kind.h"
#include "base/json.h"
#include "base/os.h"
#include "interrupt.h"
#include "progress.h"
#include "providers.h"
#include "puna/base/error.h"
#include "puna/runtime/adapter_file.h"

namespace puna::cli {
namespace {

// Whether it is the type's name, in any case.
bool is_called(DType type, const std::string& name) {
  const std::string known = puna::name(type);
  const auto same = [](char a, char b) {
    return toupper(static_cast<unsigned char>(a)) == toupper(static_cast<unsigned char>(b));
  };
  return std::equal(name.begin(), name.end(), known.begin(), known.end(), same);
}

constexpr uint64_t kLargestInput = uint64_t(4) << 30;

void show_warning(void*, int32_t level, const char* message) {
  if (level <= int32_t(LogLevel::warning)) warn(message);
}

}  // namespace

void ModelFlags::add(const Verb& verb, bool required) {
  const Option model = verb.option("MODEL", path, "a GGUF file or a Hugging Face folder");
  if (required) model.required();
  add_computing(verb);
  verb.output(
      "--packed", packed,
      "file for the packed weights: made when it is missing or stale, then mapped (fast starts, models beyond memory)");
  verb.option("--mmproj", projector, "a GGUF with the vision encoder of a text model's GGUF");
}

void ModelFlags::add_machine(const Verb& verb) {
  verb.option("-t,--threads", threads, "threads to compute with (default: one a CPU)").at_least(0);
  verb.option("--isa", isa,
              "instruction set: scalar, avx2, avxvnni, avx512, avx512vnni, neon (default: the best; same bits)");
}

void ModelFlags::add_computing(const Verb& verb) {
  add_machine(verb);
  verb.option("--providers", providers,
              "products of float weights by oneDNN, OpenBLAS or Eigen: none, f32, or bf16 (factors may be rounded); "
              "not the same bits "
              "everywhere (default: none; in training f32 where there is one)");
}

AllowProviders ModelFlags::providers_of_training() const {
  return providers_level(providers.empty() ? "f32" : providers);
}

ContextPtr ModelFlags::make_context(bool trains) const {
  ContextOptions options;
  options.threads = threads;
  options.isa = isa;
  options.memory_limit = memory_limit;
  options.logger.log = show_warning;
  add_provider(options, trains ? providers_of_training() : providers_level(providers.empty() ? "none" : providers),
               !providers.empty());
  return puna::make_context(options);
}

ModelPtr ModelFlags::open(bool trains) const {
  ModelOptions options;
  options.packed_path = packed;
  options.vision.projector_path = projector;
  Interrupt interrupt;
  ProgressBar bar("loading");
  return Model::open(
      make_context(trains), path,
      [&](uint64_t done, uint64_t total) {
        bar.update(done, total);
        return !interrupt.requested();
      },
      options);
}

void ModelFlags::add_adapter(const Verb& verb) {
  verb.option("--adapter", adapter, "a LoRA adapter beside the weights: a folder as PEFT's, or a GGUF file");
}

AdapterPtr ModelFlags::open_adapter(const Model& model) const {
  return adapter.empty() ? nullptr : load_adapter(model, adapter);
}

void SessionFlags::add(const Verb& verb) {
  verb.flag("--exact", options.exact, "float32 activations, keys and values, dequantised weights: the reference");
  verb.option("--kv-type", kv_type, "how keys and values are kept: f16 (default) or q8_0, half the memory");
}

SessionOptions SessionFlags::read() const {
  SessionOptions o = options;
  o.kv_type = weight_type(kv_type);
  return o;
}

void DraftFlags::add(const Verb& verb) {
  verb.option("--lookup", lookup,
              "guess up to so many tokens at once from what stood there before: faster where an answer repeats its "
              "prompt, and never another answer; 0 = none (default), at most 64")
      .within(0, 64);
  verb.option("--draft", model, "a smaller model with the same vocabulary that guesses, FILE or FOLDER");
  verb.option("--draft-tokens", tokens, "most that it guesses at once; 0 = ours (default), at most 64").within(0, 64);
}

std::unique_ptr<Session> DraftFlags::open(const Model& beside) const {
  if (model.empty()) return nullptr;
  Interrupt interrupt;
  ProgressBar bar("loading the draft");
  return std::make_unique<Session>(Model::open(beside.context_ptr(), model,
                                               [&](uint64_t done, uint64_t total) {
                                                 bar.update(done, total);
                                                 return !interrupt.requested();
                                               }),
                                   SessionOptions());
}

void DraftFlags::apply(GenerateOptions& options, Session* session) const {
  options.lookup_tokens = lookup;
  options.draft = session;
  options.draft_tokens = tokens;
}

void DraftFlags::report(int64_t accepted, int64_t rejected) const {
  if (lookup == 0 && model.empty()) return;
  fprintf(stderr, "puna: drafts: %jd accepted, %jd rejected\n", accepted, rejected);
}

void SamplingFlags::add(const Verb& verb) {
  verb.option("--temperature", options.temperature, "0 = greedy (default)");
  verb.option("--top-k", options.top_k, "keep the k most likely tokens; 0 = all");
  verb.option("--top-p", options.top_p, "keep the most likely tokens that make up this probability; 1 = all");
  verb.option("--min-p", options.min_p, "keep tokens with at least this share of the most likely one's probability");
  verb.option("--seed", options.seed, "the same seed draws the same tokens");
}

DType weight_type(const std::string& name) {
  std::string names;
  for (const DType t : {DType::f32, DType::f16, DType::bf16, DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1,
                        DType::q8_0, DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_nl,
                        DType::iq4_xs, DType::mxfp4, DType::tq1_0, DType::tq2_0}) {
    if (is_called(t, name)) return t;
    names += (names.empty() ? "" : ", ") + std::string(puna::name(t));
  }
  for (int t = 0; t < kDTypeCount; ++t)
    if (is_weight(DType(t)) && is_called(DType(t), name))
      fail(Status::unsupported, "%s is a type for reading only; these can be written: %s", puna::name(DType(t)),
           names.c_str());
  fail(Status::invalid_argument, "'%.40s' is no weight type; there are: %s", name.c_str(), names.c_str());
}

void write_model(const Model& model, const std::string& path, SaveOptions options, const Interrupt& interrupt) {
  std::vector<ReplacedType> replaced;
  options.replaced = &replaced;
  {
    ProgressBar bar("writing");
    const auto progress = [&](uint64_t done, uint64_t total) {
      bar.update(done, total);
      return !interrupt.requested();
    };
    options.progress = progress;
    for (const std::string& written : save_gguf(model, path, options)) print_format("%s\n", written.c_str());
  }
  for (const ReplacedType& r : replaced)
    fprintf(stderr,
            "%jd of %jd matrices became %s, not %s: their rows (%jd values) are no multiple of its blocks of %d\n",
            r.matrices, r.all, name(r.got), name(r.wanted), r.row, int(info(r.wanted).block));
}

std::string read_input(const std::string& path) {
  std::string text = path == "-" ? read_stream(path, kLargestInput) : os::read_file(path, kLargestInput);
  require_text_file(text, path == "-" ? "standard input" : path, "text in UTF-8");
  return text;
}

std::string read_stream(const std::string& path, uint64_t most) {
  const bool standard = path == "-";
  FILE* const file = standard ? stdin : fopen(path.c_str(), "rb");
  if (!file) fail(Status::io, "cannot open %s", path.c_str());
  std::string text;
  char block[65536];
  for (size_t n; text.size() <= most && (n = fread(block, 1, sizeof block, file)) > 0;) text.append(block, n);
  const bool failed = ferror(file) != 0;  // a folder, a terminal that went away
  if (!standard) fclose(file);
  const char* const name = standard ? "standard input" : path.c_str();
  if (failed) fail(Status::io, "%s: cannot read", name);
  if (text.size() > most) fail(Status::io, "%s: more than %ju GiB", name, most >> 30);
  return text;
}

std::vector<int32_t> parse_tokens(const std::string& list) {
  if (!list.empty() && list[0] == '@') return parse_tokens(" " + read_input(list.substr(1)));
  std::vector<int32_t> ids;
  const char* const end = list.data() + list.size();
  for (const char* p = list.data(); p != end;) {
    if (std::string_view(", \t\r\n[]").find(*p) != std::string_view::npos) {
      ++p;
      continue;
    }
    int32_t id = 0;
    const auto [after, error] = std::from_chars(p, end, id);
    if (error != std::errc()) fail(Status::invalid_argument, "token list: '%.20s' is not a number", p);
    ids.push_back(id);
    p = after;
  }
  if (ids.empty()) fail(Status::invalid_argument, "the token list is empty");
  return ids;
}

std::string today() {
  const time_t now = time(nullptr);
  char text[16];
  strftime(text, sizeof text, "%Y-%m-%d", localtime(&now));
  return text;
}

std::string printable(const std::string& text) {
  const std::string quoted = OrderedJson(text).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

void warn(const std::string& sentence) {
  fprintf(stderr, "%spuna: warning: %s\n", is_terminal(stderr) ? "\r\x1b[K" : "", printable(sentence).c_str());
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

uint64_t peak_rss_bytes() {
#ifdef _WIN32
  return 0;
#else
#ifdef __linux__
  // getrusage() also counts what the parent had in memory when it forked.
  const char* const own = "/proc/self/status";
  if (FILE* const status = fopen(own, "rb")) {
    char line[256];
    unsigned long long kilobytes = 0;
    while (kilobytes == 0 && fgets(line, sizeof line, status)) sscanf(line, "VmHWM: %llu", &kilobytes);
    fclose(status);
    if (kilobytes > 0) return kilobytes * 1024;
  }
#endif
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return uint64_t(usage.ru_maxrss);
#else
  return uint64_t(usage.ru_maxrss) * 1024;
#endif
#endif
}

bool is_terminal(FILE* stream) {
#ifdef _WIN32
  return _isatty(_fileno(stream)) != 0;
#else
  return isatty(fileno(stream)) != 0;
#endif
}

}  // namespace puna::cli
