// lexer.h -- a template's source to tokens. TemplateStyle::chat is the environment transformers uses: trim_blocks (the
// newline after a block tag goes), lstrip_blocks (white space before a block tag on its own line goes), one trailing
// newline of the source dropped. TemplateStyle::plain keeps all of that. '-' in a tag strips all white space on that
// side, '+' keeps what would be stripped.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "puna/base/watch.h"
#include "puna/chat/chat_template.h"

namespace puna::jinja {

struct Token {
  enum class Type : uint8_t {
    data,
    variable_begin,
    variable_end,
    block_begin,
    block_end,
    name,
    string,
    integer,
    real,
    op,
    end
  };
  Type type = Type::end;
  std::string text;  // of data, names, operators and (unescaped) strings
  int64_t integer = 0;
  double real = 0;
  int line = 1;

  bool is_op(std::string_view o) const { return type == Type::op && text == o; }
  bool is_name(std::string_view n) const { return type == Type::name && text == n; }
};

// The tokens of a source one by one, so that it is never in memory as tokens. Error{bad_file} "chat template line N:
// ..." on malformed input and on a source of more than kMaxSource bytes (the longest template in use has some 20,000).
// `end` comes again and again.
class Tokens {
 public:
  static constexpr size_t kMaxSource = 1 << 20;
  Tokens(std::string_view source, TemplateStyle style, const Watch& watch);
  ~Tokens();
  Token next();

 private:
  class Lexer;
  std::unique_ptr<Lexer> lexer_;
};

[[noreturn]] void syntax_error(int line, const char* format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace puna::jinja
