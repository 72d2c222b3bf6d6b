// folder_texts.h -- the tokenizer, the chat template and the image processor's settings that lie beside a Hugging Face checkpoint's weights.
#pragma once
#include <string>

#include "puna/text/tokenizer.h"

namespace puna {

// NULL when there is neither tokenizer.json nor tokenizer.model. `rows`: tokenizer.h
TokenizerPtr tokenizer_of_folder(const std::string& folder, const Watch& watch = Watch(), int64_t rows = 0);
std::string chat_template_of_folder(const std::string& folder, const Watch& watch = Watch());  // empty when there is none
std::string image_processor_of_folder(const std::string& folder);  // JSON; empty when there is none

}  // namespace puna
