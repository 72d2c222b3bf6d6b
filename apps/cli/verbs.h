// verbs.h -- every verb adds itself to the command line; its callback does the work.
#pragma once

namespace CLI {
class App;
}

namespace puna::cli {

class Verb;

void add_ads(CLI::App& app);
void add_batch(CLI::App& app);
void add_bench(CLI::App& app);
void add_chat(CLI::App& app);
void add_detokenize(CLI::App& app);
void add_dpo(CLI::App& app);
void add_eval(CLI::App& app);
void add_finetune(CLI::App& app);
void add_encode_image(CLI::App& app);
void add_generate(CLI::App& app);
void add_grammar(CLI::App& app);
void add_improve(CLI::App& app);
void add_info(CLI::App& app);
void add_label(CLI::App& app);
void add_logits(CLI::App& app);
void add_merge(CLI::App& app);
void add_perplexity(CLI::App& app);
void add_quantize(CLI::App& app);
void add_rec(CLI::App& app);
void add_rec_cold(const Verb& rec);
void add_rec_rank(const Verb& rec);
void add_render(CLI::App& app);
void add_serve(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_train(CLI::App& app);
void add_verify(CLI::App& app);

}  // namespace puna::cli
