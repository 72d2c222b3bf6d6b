// values.h -- the values of labels: JSON, checked against the type and the labels of a project.
#pragma once
#include <string>
#include <string_view>

#include "puna/label/store.h"

namespace puna::label {

// What is wrong with a value, as the end of a sentence ("is a list, expected a text"); "" = nothing. `value` gets its
// compact form; of several choices sorted, each once.
std::string check_value(const Project& project, std::string_view json, std::string& value);
// The same of a word in a table or on the command line: 4, cat, left. Several choices stand between bars: cat|dog.
std::string check_word(const Project& project, std::string_view word, std::string& value);
// Label::source of an item that was skipped, and the reason out of it ("" = it says none).
std::string skipped_source(const std::string& reason);
std::string skipped_reason(std::string_view source);
// How a value is called in reports, tables and as a class: cat of "cat", 4 of 4, cat|dog of ["cat", "dog"].
std::string word_of(std::string_view value);

}  // namespace puna::label
