// puna logits: the logits behind every token of a list (or the last) as a NumPy file.
#include "base/os.h"
#include "common.h"
#include "interrupt.h"
#include "npy.h"
#include "pictures.h"
#include "progress.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct LogitsFlags {
  ModelFlags model;
  SessionFlags session;
  ImageFlags images;
  std::string tokens, out;
  bool last = false;
};

void run_logits(const LogitsFlags& f) {
  const std::vector<int32_t> ids = parse_tokens(f.tokens);
  const ModelPtr model = f.model.open();
  const Prompt prompt = ImageFlags::prompt(*model, ids, f.images.open(model));
  const size_t count = prompt.tokens.size();
  Session session(model, f.session.read());
  Interrupt interrupt(session);
  os::AtomicFile file(f.out);
  const size_t vocab = size_t(model->config().vocab);
  if (f.last) {
    session.append(prompt);
    const std::string header = npy_header({int64_t(vocab)});
    file.write(header.data(), header.size());
    file.write(session.logits().data(), vocab * sizeof(float));
  } else {
    const std::string header = npy_header({int64_t(count), int64_t(vocab)});
    file.write(header.data(), header.size());
    // One prefill chunk at a time: the same passes as in one call, and only a chunk's logits in memory.
    const size_t chunk = size_t(f.session.options.prefill_chunk);
    std::vector<float> rows(std::min(chunk, count) * vocab);
    ProgressBar bar("computing");
    for (size_t done = 0; done < count;) {
      const size_t n = std::min(chunk, count - done);
      session.append(slice(prompt, int64_t(done), int64_t(done + n)), {.logits = rows});
      file.write(rows.data(), n * vocab * sizeof(float));
      bar.update(done += n, count);
    }
  }
  file.commit();
}

}  // namespace

void add_logits(CLI::App& app) {
  const auto f = std::make_shared<LogitsFlags>();
  const Verb verb(app, "logits", "Write the logits behind every token as a float32 .npy file [tokens, vocabulary]");
  f->model.add(verb);
  verb.option("--tokens", f->tokens, "token ids, taken literally: 1,2,3; @F reads them from a file").required();
  f->images.add(verb);
  verb.output("--out", f->out, "the file to write").required();
  verb.flag("--last", f->last, "only the last token's: [vocabulary]");
  f->session.add(verb);
  verb.option("--prefill-chunk", f->session.options.prefill_chunk,
              "most tokens computed together (does not change the bits)")
      .at_least(1);
  verb.run([f] { run_logits(*f); });
}

}  // namespace puna::cli
