// puna merge: an adapter's products added to a model's weights, as one GGUF file.
#include <cstdio>

#include "common.h"
#include "interrupt.h"
#include "puna/runtime/adapter_file.h"
#include "puna/runtime/save.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct MergeFlags {
  ModelFlags model;
  std::string adapter, out, type;
};

void run_merge(const MergeFlags& f) {
  const std::optional<DType> type = f.type.empty() ? std::nullopt : std::optional(weight_type(f.type));
  const ModelPtr model = f.model.open();
  const ModelPtr merged = merge_adapter(*model, *load_adapter(*model, f.adapter));
  Interrupt interrupt;
  SaveOptions options;
  options.matrices = type;
  write_model(*merged, f.out, options, interrupt);
}

}  // namespace

void add_merge(CLI::App& app) {
  const auto f = std::make_shared<MergeFlags>();
  const Verb verb(app, "merge", "Write a model with a LoRA adapter built in");
  f->model.add(verb);
  verb.option("ADAPTER", f->adapter, "a folder as PEFT's, or a GGUF file").required();
  verb.output("OUT", f->out, "the GGUF file to write").required();
  verb.option("--type", f->type, "weight type, e.g. Q8_0; none = as they are, adapted ones F32");
  verb.run([f] { run_merge(*f); });
}

}  // namespace puna::cli
