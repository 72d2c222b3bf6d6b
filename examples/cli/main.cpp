// The `puna` command: one file a verb. It stands on the C++ API: the verbs want what C callers seldom do (bare tokenizers, golden
// logits, perplexity windows), and the C ABI has programs of its own in tests/capi and in the numbered examples.
#include <cstdio>
#include <exception>

#include "puna/base/error.h"
#include "verbs.h"

int main(int argc, char** argv) {
  CLI::App app{"Runs Llama models on this computer's CPU. MODEL is a GGUF file or a Hugging Face folder.", "puna"};
  app.require_subcommand(1);
  app.set_version_flag("--version", PUNA_VERSION_TEXT);
  for (const auto add : {puna::cli::add_chat, puna::cli::add_generate, puna::cli::add_info, puna::cli::add_tokenize,
                         puna::cli::add_detokenize, puna::cli::add_render, puna::cli::add_logits, puna::cli::add_perplexity,
                         puna::cli::add_bench})
    add(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    const auto verbs = app.get_subcommands();  // those that were given
    fprintf(stderr, "puna: %s (try: puna %s%s--help)\n", e.what(), verbs.empty() ? "" : verbs[0]->get_name().c_str(), verbs.empty() ? "" : " ");
    return 2;
  } catch (const puna::Error& e) {
    fprintf(stderr, "puna: %s\n", e.what());
    return e.status() == puna::Status::cancelled ? 130 : 1;  // 130: what shells report for Ctrl-C
  } catch (const std::exception& e) {
    fprintf(stderr, "puna: %s\n", e.what());
    return 1;
  }
}
