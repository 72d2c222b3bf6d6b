// regex_classes.h -- the sets that stand behind \d, \w, \s, \p{..} and the dot.
#pragma once
#include <string_view>

#include "grammar/frontends/code_set.h"

namespace puna::grammar {

const CodeSet& digits();        // ECMA-262: ASCII only
const CodeSet& word_letters();  // ASCII letters, digits, underscore
const CodeSet& white_space();   // ECMA-262's WhiteSpace and LineTerminator
CodeSet not_line_ends();        // what the dot matches
// A general category by its short or long name ("L", "Letter", ...). NULL: not one that we have tables for.
const CodeSet* find_category(std::string_view name);
extern const char* const kCategories;  // the names that it knows, for messages

}  // namespace puna::grammar
