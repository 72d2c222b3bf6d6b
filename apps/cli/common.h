// common.h -- what the verbs share: flags, opening models and tokenizers, reading input.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "command_line.h"
#include "output.h"
#include "puna/runtime/generate.h"
#include "puna/runtime/model.h"
#include "puna/runtime/sampler.h"
#include "puna/runtime/save.h"
#include "puna/runtime/session.h"

namespace puna::cli {

class Interrupt;

struct ModelFlags {
  std::string path, isa, adapter, packed, projector, providers;
  int threads = 0;
  uint64_t memory_limit = 0;  // 0 = none
  void add(const Verb& verb, bool required = true);
  void add_computing(const Verb& verb);  // of them those that are the context's
  void add_machine(const Verb& verb);    // of those, threads and instruction set
  // "": products of models in use are made here, those of training by a provider where there is one.
  AllowProviders providers_of_training() const;
  ContextPtr make_context(bool trains = false) const;
  // Makes the context and opens the model; a progress bar appears on a terminal when that takes noticeable time.
  ModelPtr open(bool trains = false) const;
  void add_adapter(const Verb& verb);
  AdapterPtr open_adapter(const Model& model) const;  // NULL when none was given
};

struct SessionFlags {
  SessionOptions options;
  std::string kv_type = "f16";
  void add(const Verb& verb);
  SessionOptions read() const;
};

// Speculation: a smaller model and the text before guess what comes next. The answer is the same.
struct DraftFlags {
  std::string model;
  int lookup = 0, tokens = 0;
  void add(const Verb& verb);
  // The session of the smaller model, on the context of the other; NULL when none was given.
  std::unique_ptr<Session> open(const Model& beside) const;
  void apply(GenerateOptions& options, Session* session) const;
  // "puna: drafts: 31 accepted, 4 rejected" on standard error, where there could be any.
  void report(int64_t accepted, int64_t rejected) const;
};

struct SamplingFlags {
  SamplerOptions options;
  void add(const Verb& verb);
};

// "Q4_K", "q8_0": Error{invalid_argument} lists the types that can be written
DType weight_type(const std::string& name);
// A model to GGUF files, whose names are printed: with a bar, until Ctrl-C. Says on standard error which matrices got
// another type than asked.
void write_model(const Model& model, const std::string& path, SaveOptions options, const Interrupt& interrupt);

// A whole text, or standard input for "-". Error{unsupported} when it is a picture, a database, ...
std::string read_input(const std::string& path);
// All that comes out of a pipe, or of standard input for "-". Error{io} past `most` bytes.
std::string read_stream(const std::string& path, uint64_t most);
// "1,2,3", "[1, 2, 3]", or "@F" for a file that holds either.
std::vector<int32_t> parse_tokens(const std::string& list);
std::string today();  // YYYY-MM-DD, local time

// A name or a sentence out of a file, as JSON quotes it: no character of it may steer the terminal.
std::string printable(const std::string& text);
// "puna: warning: ..." on standard error, in place of a bar that stands there.
void warn(const std::string& sentence);

double seconds_now();  // a steady clock
bool is_terminal(FILE* stream);
uint64_t peak_rss_bytes();  // that this process had in memory at most; 0 where the system does not say

}  // namespace puna::cli
