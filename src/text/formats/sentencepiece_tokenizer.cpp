// sentencepiece_tokenizer.cpp -- a tokenizer.model of SentencePiece (Gemma, Mistral 7B, Llama 2, Phi-3): a protobuf
// message ModelProto, of which these fields are read (sentencepiece_model.proto):
//   1 pieces, each: 1 piece, 2 score, 3 type (1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte)
//   2 trainer: 3 model_type (2 = BPE), 40 unk_id, 41 bos_id, 42 eos_id
//   3 normalizer: 2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces, 5 escape_whitespaces
#include <cmath>
#include <cstring>
#include <string>

#include "puna/base/error.h"
#include "text/sentencepiece.h"

namespace puna {
namespace text {
namespace {

constexpr size_t kMostPieces = 1 << 19;

// One message's fields, one after the other. Whatever the bytes are, it ends, and nothing outside of them is read.
class Message {
 public:
  Message(std::string_view bytes, const char* name) : bytes_(bytes), name_(name) {}

  bool next() {  // the next field's number, kind and value
    if (at_ == bytes_.size()) return false;
    const uint64_t key = varint();
    field_ = int64_t(key >> 3);
    kind_ = int(key & 7);
    if (field_ < 1 || field_ > (1 << 29) - 1) wrong("a field's number is out of range");
    switch (kind_) {
      case 0: number_ = varint(); return true;
      case 1: return take(8);
      case 2: {
        const uint64_t size = varint();
        if (size > bytes_.size() - at_) wrong("a field is longer than what it is in");
        return take(size_t(size));
      }
      case 5: return take(4);
      default: wrong("a field is of no kind that there is");
    }
  }

  int64_t field() const noexcept { return field_; }
  int64_t number() const {  // negative ones are 64 bits long, as protobuf writes them
    if (kind_ != 0) wrong("a field is no number");
    return int64_t(number_);
  }
  bool boolean() const { return number() != 0; }
  std::string_view bytes() const {
    if (kind_ != 2) wrong("a field is no text");
    return value_;
  }
  float real() const {
    if (kind_ != 5) wrong("a field is no float");
    float value;
    std::memcpy(&value, value_.data(), 4);
    return value;
  }

  [[noreturn]] void wrong(const char* what) const {
    fail(Status::bad_file, "tokenizer.model: %s, byte %zu: %s", name_, at_, what);
  }

 private:
  bool take(size_t size) {
    if (size > bytes_.size() - at_) wrong("it ends within a field");
    value_ = bytes_.substr(at_, size);
    at_ += size;
    return true;
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) wrong("it ends within a number");
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= uint64_t(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    wrong("a number has more than ten bytes");
  }

  const std::string_view bytes_;
  const char* const name_;
  size_t at_ = 0;
  int64_t field_ = 0;
  int kind_ = 0;
  uint64_t number_ = 0;
  std::string_view value_;
};

struct ModelFile {
  std::vector<std::string_view> pieces;
  std::vector<TokenKind> kinds;
  std::vector<double> scores;
  int64_t model_type = 1, unknown = 0, bos = 1, eos = 2;  // the protobuf's defaults
  bool charsmap = false, prefix = true, collapse = true, escape = true;
};

void read_piece(std::string_view bytes, ModelFile& file) {
  constexpr TokenKind kKinds[] = {TokenKind::normal,       TokenKind::unknown, TokenKind::control,
                                  TokenKind::user_defined, TokenKind::unused,  TokenKind::byte};
  const size_t id = file.pieces.size();
  if (id == kMostPieces) fail(Status::unsupported, "tokenizer.model has more than %zu pieces", kMostPieces);
  std::string_view piece;
  TokenKind kind = TokenKind::normal;
  float score = 0;
  Message m(bytes, "a piece");
  while (m.next()) {
    if (m.field() == 1) piece = m.bytes();
    if (m.field() == 2) score = m.real();
    if (m.field() == 3) {
      if (m.number() < 1 || m.number() > int64_t(std::size(kKinds)))
        fail(Status::bad_file, "tokenizer.model: piece %zu is of type %jd, expected 1 to 6", id, m.number());
      kind = kKinds[m.number() - 1];
    }
  }
  if (piece.empty()) fail(Status::bad_file, "tokenizer.model: piece %zu has no text", id);
  if (!std::isfinite(score)) fail(Status::bad_file, "tokenizer.model: the score of piece %zu is not finite", id);
  file.pieces.push_back(piece);
  file.kinds.push_back(kind);
  file.scores.push_back(double(score));
}

ModelFile read_model_file(std::string_view bytes, const Watch& watch) {
  ModelFile file;
  Message m(bytes, "the model");
  while (m.next()) {
    watch.tick();
    if (m.field() == 1) {
      read_piece(m.bytes(), file);
    } else if (m.field() == 2) {
      Message trainer(m.bytes(), "the trainer's settings");
      while (trainer.next()) {
        if (trainer.field() == 3) file.model_type = trainer.number();
        if (trainer.field() == 40) file.unknown = trainer.number();
        if (trainer.field() == 41) file.bos = trainer.number();
        if (trainer.field() == 42) file.eos = trainer.number();
      }
    } else if (m.field() == 3) {
      Message normalizer(m.bytes(), "the normalizer");
      while (normalizer.next()) {
        if (normalizer.field() == 2) file.charsmap = !normalizer.bytes().empty();
        if (normalizer.field() == 3) file.prefix = normalizer.boolean();
        if (normalizer.field() == 4) file.collapse = normalizer.boolean();
        if (normalizer.field() == 5) file.escape = normalizer.boolean();
      }
    }
  }
  return file;
}

int32_t special_id(int64_t id, const char* name, TokenizerParts& parts) {
  return id < 0 ? -1 : known_id(parts, std::string("tokenizer.model: ") + name, id);
}

}  // namespace

// The first field is a piece, and its first one is the text.
bool is_sentencepiece(std::string_view file) noexcept {
  if (file.size() < 4 || file[0] != '\n') return false;
  size_t at = 1, length = 0;
  for (int shift = 0; at < file.size() && shift < 28; shift += 7) {
    const auto byte = static_cast<unsigned char>(file[at++]);
    length |= size_t(byte & 0x7F) << shift;
    if (byte < 0x80) break;
  }
  return at < file.size() && length > 2 && length <= file.size() - at && file[at] == '\n';
}

}  // namespace text

TokenizerPtr tokenizer_from_sentencepiece(std::string_view model_file, const Watch& watch, int64_t rows) {
  using namespace text;
  const ModelFile file = read_model_file(model_file, watch);
  if (file.pieces.empty()) fail(Status::bad_file, "tokenizer.model: there are no pieces in it");
  constexpr const char* kTypes[] = {"no known", "a Unigram", "a BPE", "a word", "a character"};
  if (file.model_type != 2)
    fail(Status::unsupported, "tokenizer.model is %s model of SentencePiece; only BPE is implemented",
         kTypes[file.model_type >= 1 && file.model_type <= 4 ? file.model_type : 0]);
  if (file.charsmap)
    fail(Status::unsupported, "tokenizer.model: precompiled_charsmap: this normalisation is not implemented");
  if (!file.escape) fail(Status::unsupported, "tokenizer.model: escape_whitespaces is off, which is not implemented");
  TokenizerParts parts;
  parts.rows = rows;
  add_sentencepieces({"tokenizer.model: pieces", [&](size_t id) { return file.pieces[id]; }, file.kinds}, parts, watch);
  merge_by_scores(file.scores, parts);
  parts.model.unknown = special_id(file.unknown, "unk_id", parts);
  parts.specials.bos = special_id(file.bos, "bos_id", parts);
  parts.specials.eos = special_id(file.eos, "eos_id", parts);
  parts.specials.add_bos = parts.specials.bos >= 0;
  collect_stops(parts.specials, parts, {});
  add_sentencepiece_spaces(file.prefix, file.collapse, parts);
  return make_tokenizer(std::move(parts), watch);
}

TokenizerPtr tokenizer_from_model_file(std::string_view file, const Watch& watch, int64_t rows) {
  return text::is_sentencepiece(file) ? tokenizer_from_sentencepiece(file, watch, rows)
                                      : tokenizer_from_tiktoken(file, watch, rows);
}

}  // namespace puna
