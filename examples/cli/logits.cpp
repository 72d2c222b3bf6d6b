// puna logits: the logits behind every token of a list (or the last) as a NumPy file.
#include "base/os.h"
#include "common.h"
#include "interrupt.h"
#include "progress.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct Flags {
  ModelFlags model;
  SessionOptions session;
  std::string tokens, out;
  bool last = false;
};

// The header of a float32 .npy file, version 1.0: padded so that the data starts at a multiple of 64.
std::string npy_header(const std::string& shape) {
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  constexpr size_t kPrefix = 10;
  text.append(63 - (kPrefix + text.size()) % 64, ' ').push_back('\n');
  return std::string("\x93NUMPY\x01\x00", 8) + char(text.size() & 0xff) + char(text.size() >> 8) + text;
}

void run(const Flags& f) {
  const std::vector<int32_t> tokens = parse_tokens(f.tokens);
  const ModelPtr model = f.model.open();
  Session session(model, f.session);
  Interrupt interrupt(session);
  os::AtomicFile file(f.out);
  const size_t vocab = size_t(model->config().vocab);
  if (f.last) {
    session.append(tokens);
    const std::string header = npy_header(std::to_string(vocab) + ",");
    file.write(header.data(), header.size());
    file.write(session.logits().data(), vocab * sizeof(float));
  } else {
    const std::string header = npy_header(std::to_string(tokens.size()) + ", " + std::to_string(vocab));
    file.write(header.data(), header.size());
    // One prefill chunk at a time: the same passes as in one call, and only a chunk's logits in memory.
    const size_t chunk = size_t(f.session.prefill_chunk);
    std::vector<float> rows(std::min(chunk, tokens.size()) * vocab);
    ProgressBar bar("computing");
    for (size_t done = 0; done < tokens.size();) {
      const size_t n = std::min(chunk, tokens.size() - done);
      session.append(std::span(tokens).subspan(done, n), rows.data());
      file.write(rows.data(), n * vocab * sizeof(float));
      bar.update(done += n, tokens.size());
    }
  }
  file.commit();
}

}  // namespace

void add_logits(CLI::App& app) {
  const auto f = std::make_shared<Flags>();
  const Verb verb(app, "logits", "Write the logits behind every token as a float32 .npy file [tokens, vocabulary]");
  f->model.add(verb);
  verb.option("--tokens", f->tokens, "token ids, taken literally: 1,2,3; @F reads them from a file").required();
  verb.option("--out", f->out, "the file to write").required();
  verb.flag("--last", f->last, "only the last token's: [vocabulary]");
  verb.flag("--exact", f->session.exact, "float32 activations and KV, dequantised weights: the reference");
  verb.option("--prefill-chunk", f->session.prefill_chunk, "most tokens computed together (does not change the bits)")
      .at_least(1);
  verb.run([f] { run(*f); });
}

}  // namespace puna::cli
