// puna verify: a checkpoint's arithmetic, block by block, against reference numbers: which is the first block that
// differs? A folder of reference numbers has a manifest.json that lists arrays with their tolerances (./dev golden
// explains ours).
#include "common.h"
#include "output.h"
#include "puna/base/error.h"
#include "verbs.h"
#include "verifier.h"

namespace puna::cli {
namespace {

struct VerifyFlags {
  ModelFlags model;
  std::string reference;
};

}  // namespace

void add_verify(CLI::App& app) {
  const auto f = std::make_shared<VerifyFlags>();
  const Verb verb(app, "verify", "Compare a model's blocks with reference numbers and name the first that differs");
  f->model.add(verb);
  verb.option("--reference", f->reference, "the folder with manifest.json (default: the model's own folder)");
  verb.run([f] {
    const ModelPtr model = f->model.open();
    if (!verify(model, f->reference.empty() ? f->model.path : f->reference,
                [](const std::string& line) { print(line); }))
      fail(Status::bad_file, "%s: it does not compute what the reference did", f->model.path.c_str());
  });
}

}  // namespace puna::cli
