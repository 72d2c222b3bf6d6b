// folder_texts.h -- the tokenizer and the chat template that lie beside a Hugging Face checkpoint's weights.
#pragma once
#include <string>

#include "puna/text/tokenizer.h"

namespace puna {

TokenizerPtr tokenizer_of_folder(const std::string& folder);     // NULL when there is neither tokenizer.json nor tokenizer.model
std::string chat_template_of_folder(const std::string& folder);  // empty when there is none

}  // namespace puna
