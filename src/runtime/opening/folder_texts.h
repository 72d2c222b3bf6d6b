// folder_texts.h -- the tokenizer, the chat templates, the special tokens and the image processor's settings that lie
// beside a Hugging Face checkpoint's weights.
#pragma once
#include <string>
#include <vector>

#include "puna/runtime/chat_templates.h"
#include "puna/tensor/metadata.h"
#include "puna/text/tokenizer.h"

namespace puna {

// NULL when there is no tokenizer.json, tekken.json or tokenizer.model. `rows`: tokenizer.h; 0: as config.json says
TokenizerPtr tokenizer_of_folder(const std::string& folder, const Watch& watch = Watch(), int64_t rows = 0);
std::string image_processor_of_folder(const std::string& folder);  // JSON; empty when there is none

// Where transformers looks, the first place that has any: chat_template.jinja and additional_chat_templates/NAME.jinja,
// chat_template.json, processor_config.json, tokenizer_config.json (these three hold a text or a list of {"name",
// "template"}).
ChatTemplates chat_templates_of_folder(const std::string& folder, const Watch& watch = Watch());
// tokenizer.chat_template and tokenizer.chat_template.NAME.
ChatTemplates chat_templates_of_gguf(const Metadata& metadata, const Watch& watch = Watch());

// The special tokens that a template can name, as the files spell them: bos_token, pad_token, ..., and the list
// additional_special_tokens. tokenizer_config.json and special_tokens_map.json. Which of two values holds is
// transformers' choice: the map's, unless the configuration lists its added tokens.
ChatTemplate::Texts template_tokens_of_folder(const std::string& folder, const Watch& watch = Watch());
// By tokenizer.ggml.*_token_id; ids that the tokenizer lacks give no token.
ChatTemplate::Texts template_tokens_of_gguf(const Metadata& metadata, const Tokenizer& tokenizer);

}  // namespace puna
