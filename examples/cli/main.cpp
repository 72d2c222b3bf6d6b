// The `puna` command: one file a verb. It stands on the C++ API: the verbs want what C callers seldom do (bare tokenizers, golden
// logits, perplexity windows), and the C ABI has programs of its own in tests/capi and in the numbered examples.
#include <cstdio>
#include <exception>

#include "puna/base/error.h"
#include "verbs.h"

namespace puna::cli {
namespace {

constexpr int kUsageError = 2, kInterrupted = 130;  // 130: what shells report for Ctrl-C

int run(int argc, char** argv) {
  CLI::App app{"Runs Llama models on this computer's CPU. MODEL is a GGUF file or a Hugging Face folder.", "puna"};
  app.require_subcommand(1);
  app.set_version_flag("--version", PUNA_VERSION_TEXT);
  for (const auto add : {add_chat, add_generate, add_info, add_tokenize, add_detokenize, add_render, add_logits, add_perplexity, add_bench})
    add(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    const auto verbs = app.get_subcommands();        // those that were given
    fprintf(stderr, "puna: %s (try: puna %s%s--help)\n", e.what(), verbs.empty() ? "" : verbs[0]->get_name().c_str(), verbs.empty() ? "" : " ");
    return kUsageError;
  }
}

}  // namespace
}  // namespace puna::cli

int main(int argc, char** argv) {
  try {
    return puna::cli::run(argc, argv);
  } catch (const puna::Error& e) {
    fprintf(stderr, "puna: %s\n", e.what());
    return e.status() == puna::Status::cancelled ? puna::cli::kInterrupted : 1;
  } catch (const std::exception& e) {
    fprintf(stderr, "puna: %s\n", e.what());
    return 1;
  }
}
