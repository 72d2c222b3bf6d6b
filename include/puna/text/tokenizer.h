// tokenizer.h -- text to token ids and back, exactly as the model's authors did it. Immutable and thread-safe. Several
// sources, one interface: GGUF metadata (byte-level BPE and SentencePiece "llama" vocabularies), Hugging Face's
// tokenizer.json, Mistral's tekken.json, and tokenizer.model, which is SentencePiece's or Llama 3/4's tiktoken-style
// one. A pre-tokenizer we do not know is an error, never a guess.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"
#include "puna/tensor/metadata.h"
#include "puna/text/rendered_chat.h"

namespace puna {

enum class TokenKind : uint8_t { normal, unknown, control, user_defined, unused, byte };

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual int32_t size() const noexcept = 0;  // tokens are 0 .. size()-1
  // Ids of `utf8` (invalid UTF-8 is encoded byte by byte, nothing is lost where the vocabulary has the bytes). No BOS
  // is added. Text that looks like a special token is ordinary text unless parse_special. Time is linear in the text, n
  // log n where all of it is one word.
  virtual std::vector<int32_t> encode(std::string_view utf8, bool parse_special,
                                      const Watch& watch = Watch()) const = 0;
  // Ids of a rendered chat: what encode(chat.text, true) gives, but that a special token is one only where none of its
  // bytes is content. Everything else (merges, user-defined tokens, spaces that a special token swallows) goes on
  // across the edges of content. (A Tokenizer that does not define it cuts the text there.)
  virtual std::vector<int32_t> encode_chat(const RenderedChat& chat, const Watch& watch = Watch()) const;
  // The same of a text that is to have at most `most` tokens; none when it has more, known as early as can be: words
  // that cannot be written with the tokens that are left are not looked into. Without content (RenderedChat::content)
  // parse_special says what encode() does with it. (A Tokenizer that does not define it encodes all of the text.)
  virtual std::optional<std::vector<int32_t>> encode_within(const RenderedChat& text, bool parse_special, size_t most,
                                                            const Watch& watch = Watch()) const;
  // The bytes an id stands for; special tokens give their name. A model's embedding often has more rows than there are
  // tokens: for those ids, which a model may generate, it is "" and the kind is unused. Error{invalid_argument} when
  // the id is out of range.
  virtual std::string_view bytes(int32_t id) const = 0;
  virtual TokenKind kind(int32_t id) const = 0;
  bool is_special(int32_t id) const {
    const TokenKind k = kind(id);
    return k == TokenKind::control || k == TokenKind::unknown;
  }
  // A special token by its name, another by its bytes (SentencePiece: by its spelling, "\u2581the"); -1 when there is
  // none.
  virtual int32_t find(std::string_view special_or_piece) const noexcept = 0;

  // Bytes of all ids joined; special tokens are left out unless keep_special. May be invalid UTF-8 (see StreamDecoder).
  std::string decode(const std::vector<int32_t>& ids, bool keep_special) const;

  struct Specials {
    int32_t bos = -1, eos = -1;
    std::vector<int32_t> stop;  // every id that ends an answer: eos, end of turn, end of message
    bool add_bos = false;       // the metadata asks for BOS at the start of a plain prompt
    // What a plain text begins with, once, whether or not it brings its own: BOS where it is asked for, else -1.
    int32_t first() const noexcept { return add_bos ? bos : -1; }
  };
  const Specials& specials() const noexcept { return specials_; }
  // What the files say about special tokens and is not so ("bos_token_id is 4294967295, ..."), a sentence each: text
  // works without.
  const std::vector<std::string>& notes() const noexcept { return notes_; }

  // SentencePiece puts a space in front of a text; decode takes it away again.
  enum class FirstSpace : uint8_t { keep, drop_one, drop_all_of_first_token };
  FirstSpace first_space() const noexcept { return first_space_; }

 protected:
  static void require_content(const RenderedChat& chat);  // Error{invalid_argument} when its spans are not in order
  Specials specials_;
  std::vector<std::string> notes_;
  FirstSpace first_space_ = FirstSpace::keep;
  // Ascending: tokens whose leading spaces are part of them, not added by SentencePiece. As the first of a text they
  // keep them.
  std::vector<int32_t> literal_spaces_;
};

using TokenizerPtr = std::shared_ptr<const Tokenizer>;

// All throw Error{bad_file} or {unsupported} naming the field. Inputs are untrusted. `rows` are
// the model's embedding's, at least the number of tokens; 0: there is no model.
// "tokenizer.ggml.*"; NULL when the file has none
TokenizerPtr tokenizer_from_gguf(const Metadata& metadata, const Watch& watch = Watch(), int64_t rows = 0);
// config_json = tokenizer_config.json, generation_json = generation_config.json; both may be empty. generation_name:
// what errors and notes call the latter, where the same fields come from another file.
TokenizerPtr tokenizer_from_json(std::string_view tokenizer_json, std::string_view config_json,
                                 std::string_view generation_json, const Watch& watch = Watch(), int64_t rows = 0,
                                 std::string_view generation_name = "generation_config.json");
// Llama 3 and 4, recognised by their number of ranks.
TokenizerPtr tokenizer_from_tiktoken(std::string_view model_file, const Watch& watch = Watch(), int64_t rows = 0);
// A BPE model with byte fallback (Gemma, Mistral 7B, Llama 2, Phi-3). Added tokens that only the tokenizer_config.json
// of its model has are not in it.
TokenizerPtr tokenizer_from_sentencepiece(std::string_view model_file, const Watch& watch = Watch(), int64_t rows = 0);
// A tokenizer.model: one of the two above, by what it holds.
TokenizerPtr tokenizer_from_model_file(std::string_view model_file, const Watch& watch = Watch(), int64_t rows = 0);
// Mistral's own: Nemo, Ministral, Pixtral
TokenizerPtr tokenizer_from_tekken(std::string_view tekken_json, const Watch& watch = Watch(), int64_t rows = 0);

// From a stream of ids to text that is always valid UTF-8: an incomplete character is held back until its last byte
// comes; malformed bytes become U+FFFD by the rule CPython and the Unicode standard use (maximal subpart).
class StreamDecoder {
 public:
  std::string push(std::string_view bytes);
  std::string flush();  // what is still held back, as U+FFFD
 private:
  std::string pending_;
};

}  // namespace puna
