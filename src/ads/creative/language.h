// language.h -- which tags name a language: en, pt-BR, ...
#pragma once
#include <string>
#include <string_view>

namespace puna::ads {

// What is wrong with a tag, or "": its first part is a language of ISO 639-1 (any case), the others letters and digits.
std::string fault_of_language(std::string_view tag);

}  // namespace puna::ads
