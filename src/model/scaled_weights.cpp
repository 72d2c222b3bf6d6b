#include "model/scaled_weights.h"

#include <cctype>
#include <cstring>

#include "kernels/dequantise.h"
#include "puna/base/error.h"

namespace puna {
namespace {

constexpr int64_t kCodes = 8;                                // in an int32
constexpr int64_t kBlock = 32;                               // values of our blocks
constexpr int kAwqPlace[kCodes] = {0, 4, 1, 5, 2, 6, 3, 7};  // which four bits an output is in

// ---- quantization_config ----

std::string lower(std::string text) {
  for (char& c : text) c = char(tolower(static_cast<unsigned char>(c)));
  return text;
}

struct Keys {
  const Metadata& m;
  std::string at;  // with its point

  bool has(const char* key) const { return m.has(at + key); }
  // One of two names of a key.
  int64_t integer(const char* key, const char* other, int64_t low, int64_t high, int64_t fallback) const {
    return m.integer(has(key) ? at + key : at + other, low, high, fallback);
  }
  std::string text(const char* key, const char* fallback) const { return lower(m.string(at + key, fallback)); }
  [[noreturn]] void refuse(const std::string& key, const std::string& is, const char* expected) const {
    fail(Status::unsupported,
         "metadata '%s%s' is %.60s, expected %s: use the checkpoint it was made from, or a GGUF file", at.c_str(),
         key.c_str(), is.c_str(), expected);
  }
  void expect_bits(const char* key, const char* other, int64_t wanted) const {
    const int64_t bits = integer(key, other, 1, 64, wanted);
    if (bits != wanted) refuse(has(key) ? key : other, std::to_string(bits), wanted == 4 ? "4" : "8");
  }
  int64_t group(const char* key, const char* other) const {
    const int64_t size = integer(key, other, -1, INT32_MAX, 128);
    if (size == -1) return 0;
    if (size < kBlock || size % kBlock != 0)
      refuse(has(key) ? key : other, std::to_string(size), "-1 or a multiple of 32");
    return size;
  }
};

std::string groups_of(int64_t group) { return group == 0 ? "a scale an output" : "groups of " + std::to_string(group); }

void read_awq(ScaledLayout& s, const Keys& k) {
  k.expect_bits("bits", "w_bit", 4);
  const std::string version = k.text("version", "gemm");
  if (version != "gemm") k.refuse("version", "'" + version + "'", "'gemm'");
  s.codes = ScaledLayout::Codes::awq;
  s.group = k.group("group_size", "q_group_size");
  s.text = "AWQ, 4 bits, " + groups_of(s.group);
}

void read_gptq(ScaledLayout& s, const Keys& k) {
  k.expect_bits("bits", "bits", 4);
  const std::string format = k.text("checkpoint_format", "gptq"), words = k.text("pack_dtype", "int32");
  if (format != "gptq" && format != "gptq_v2") k.refuse("checkpoint_format", "'" + format + "'", "'gptq' or 'gptq_v2'");
  if (words != "int32") k.refuse("pack_dtype", "'" + words + "'", "'int32'");
  if (k.m.has_group(k.at + "dynamic") && k.m.values().lower_bound(k.at + "dynamic.") != k.m.values().end() &&
      k.m.values().lower_bound(k.at + "dynamic.")->first.starts_with(k.at + "dynamic."))
    k.refuse("dynamic", "an object with layers of other bits", "none");
  s.codes = ScaledLayout::Codes::gptq;
  s.zeros_less_one = format == "gptq";
  s.group = k.group("group_size", "group_size");
  s.text = "GPTQ, 4 bits, " + groups_of(s.group);
}

void read_compressed(ScaledLayout& s, const Keys& k) {
  const std::string format = k.text("format", "");
  if (k.m.has_group(k.at + "config_groups.group_1"))
    k.refuse("config_groups", "several groups", "one for all matrices");
  const Keys w{k.m, k.at + "config_groups.group_0.weights."};
  if (format == "pack-quantized") {
    w.expect_bits("num_bits", "num_bits", 4);
    const std::string type = w.text("type", "int"), strategy = w.text("strategy", "group");
    if (type != "int") w.refuse("type", "'" + type + "'", "'int'");
    if (strategy != "group" && strategy != "channel")
      w.refuse("strategy", "'" + strategy + "'", "'group' or 'channel'");
    s.codes = ScaledLayout::Codes::packed;
    s.group = strategy == "channel" ? 0 : w.group("group_size", "group_size");
    s.symmetric = w.m.boolean(w.at + "symmetric", true);
    s.text = "compressed-tensors, 4 bits, " + groups_of(s.group);
    return;
  }
  if (format != "float-quantized" && format != "naive-quantized")
    k.refuse("format", "'" + format + "'", "'pack-quantized', 'float-quantized' or 'naive-quantized'");
  w.expect_bits("num_bits", "num_bits", 8);
  if (const std::string type = w.text("type", "float"); type != "float") w.refuse("type", "'" + type + "'", "'float'");
  s.text = "compressed-tensors, 8-bit floats";
}

void read_fp8(ScaledLayout& s) {
  s.float_scale = ".weight_scale_inv";  // the scale, not its inverse
  s.text = "8-bit floats";
}

// Blocks as [rows, cols]: of what compressed-tensors and Hugging Face call by two names.
void read_float_blocks(ScaledLayout& s, const Metadata& m, const std::string& key) {
  const std::vector<int64_t>* block = m.integers(key);
  if (!block || block->empty()) return;
  constexpr int64_t kMost = 1 << 20;
  const auto usable = [](int64_t n, int64_t step) { return n >= step && n <= kMost && n % step == 0; };
  if (block->size() != 2 || !usable((*block)[0], 1) || !usable((*block)[1], kBlock))
    fail(Status::unsupported, "metadata '%s' is no pair of a number of rows and a multiple of 32 columns", key.c_str());
  s.block_rows = (*block)[0];
  s.block_cols = (*block)[1];
}

}  // namespace

ScaledLayout scaled_layout(const Metadata& config, bool experts_are_mxfp4) {
  ScaledLayout s;
  for (const std::string before : {"", "text_config."})
    for (const char* group : {"quantization_config", "compression_config"}) {
      const Keys k{config, before + group + "."};
      if (!config.has(before + group)) continue;
      if (!config.has_group(before + group)) fail(Status::bad_file, "%s%s is no object", before.c_str(), group);
      const std::string method = k.text("quant_method", "");
      if (method == "mxfp4" && experts_are_mxfp4) continue;
      if (method == "awq")
        read_awq(s, k);
      else if (method == "gptq")
        read_gptq(s, k);
      else if (method == "compressed-tensors")
        read_compressed(s, k);
      else if (method == "fp8")
        read_fp8(s);
      else
        k.refuse("quant_method", "'" + method + "'", "'awq', 'gptq', 'compressed-tensors' or 'fp8'");
      read_float_blocks(s, config, k.at + "weight_block_size");
      read_float_blocks(s, config, k.at + "config_groups.group_0.weights.block_structure");
    }
  return s;
}

// ---- one matrix ----

namespace {

std::string stem_of(const std::string& name) {
  constexpr std::string_view kWeight = ".weight";
  return name.ends_with(kWeight) ? name.substr(0, name.size() - kWeight.size()) : name;
}

const char* codes_name(ScaledLayout::Codes c) {
  return c == ScaledLayout::Codes::packed ? ".weight_packed" : ".qweight";
}

uint32_t word_at(const std::byte* words, int64_t i) noexcept {
  uint32_t w;
  memcpy(&w, words + 4 * i, 4);
  return w;
}
int four_bits(uint32_t word, int64_t place) noexcept { return int(word >> 4 * place & 15); }

}  // namespace

bool ScaledMatrix::is_there(const TensorMap& tensors, const ScaledLayout& layout, const std::string& name) {
  if (!tensors.contains(name)) return layout.codes != ScaledLayout::Codes::none;
  const TensorEntry* t = tensors.find(name);
  return t && (t->dtype == DType::f8_e4m3 || t->dtype == DType::f8_e5m2);
}

ScaledMatrix::ScaledMatrix(const Context& context, const TensorMap& tensors, const ScaledLayout& layout,
                           const std::string& name, int64_t total, int64_t cols)
    : layout_(layout), name_(name), stem_(stem_of(name)), total_(total), cols_(cols) {
  if (tensors.contains(name_))
    find_float_scales(context, tensors);
  else
    find_codes(context, tensors);
  if (is_quantised(dtype_) && cols_ % kBlock != 0)
    fail(Status::unsupported, "tensor '%.200s': rows of %jd quantised values are no whole blocks of 32", name_.c_str(),
         cols_);
}

const TensorEntry& ScaledMatrix::part(const TensorMap& tensors, const std::string& name, DType dtype,
                                      const Shape& shape) const {
  const TensorEntry* t = tensors.find(name);
  if (!t) fail(Status::bad_file, "tensor '%.200s' is missing, expected %s", name.c_str(), shape.text().c_str());
  if (!(t->shape == shape) || t->dtype != dtype || t->bytes != bytes_of(info(dtype), uint64_t(shape.count())))
    fail(Status::bad_file, "tensor '%.200s' is %s %s, expected %s %s", name.c_str(), puna::name(t->dtype),
         t->shape.text().c_str(), puna::name(dtype), shape.text().c_str());
  return *t;
}

void ScaledMatrix::read_scales(const Context& context, const TensorEntry& t) {
  if (t.dtype > DType::bf16)
    fail(Status::bad_file, "tensor '%.200s' is %s, expected F16, BF16 or F32", t.name.c_str(), puna::name(t.dtype));
  scales_ = context.allocate(size_t(t.shape.count()) * 4, "scales of quantised weights");
  context.executor().run(1, [&](int64_t) {  // nothing in a rehearsal
    dequantise_row(context.kernels(), reinterpret_cast<float*>(scales_.data()), t.dtype, t.data, t.shape.count());
  });
}

void ScaledMatrix::find_codes(const Context& context, const TensorMap& tensors) {
  using Codes = ScaledLayout::Codes;
  group_ = layout_.group == 0 ? cols_ : layout_.group;
  if (cols_ % group_ != 0 || cols_ % kBlock != 0 || (layout_.codes != Codes::packed && total_ % kCodes != 0))
    fail(Status::unsupported,
         "tensor '%.200s': [%jd,%jd] does not divide into groups of %jd inputs and words of 8 codes", name_.c_str(),
         total_, cols_, group_);
  groups_ = cols_ / group_;
  const std::string scales = stem_ + (layout_.codes == Codes::packed ? ".weight_scale" : ".scales");
  const TensorEntry* s = tensors.find(scales);
  const Shape shape = layout_.codes == Codes::packed ? Shape{total_, groups_} : Shape{groups_, total_};
  if (!s) fail(Status::bad_file, "tensor '%.200s' is missing, expected %s", scales.c_str(), shape.text().c_str());
  part(tensors, scales, s->dtype, shape);
  read_scales(context, *s);
  const std::string codes = stem_ + codes_name(layout_.codes);
  switch (layout_.codes) {
    case Codes::awq:
      codes_entry_ = &part(tensors, codes, DType::i32, {cols_, total_ / kCodes});
      zeros_ = part(tensors, stem_ + ".qzeros", DType::i32, {groups_, total_ / kCodes}).data;
      break;
    case Codes::gptq:
      codes_entry_ = &part(tensors, codes, DType::i32, {cols_ / kCodes, total_});
      zeros_ = part(tensors, stem_ + ".qzeros", DType::i32, {groups_, total_ / kCodes}).data;
      find_groups(tensors, stem_ + ".g_idx");
      break;
    default:
      codes_entry_ = &part(tensors, codes, DType::i32, {total_, cols_ / kCodes});
      if (!layout_.symmetric)
        zeros_ =
            part(tensors, stem_ + ".weight_zero_point", DType::i32, {(total_ + kCodes - 1) / kCodes, groups_}).data;
      find_groups(tensors, stem_ + ".weight_g_idx");
      tensors.find(stem_ + ".weight_shape");  // says again what the configuration says
  }
  codes_ = codes_entry_->data;
}

// Which group an input belongs to. In order they need no table.
void ScaledMatrix::find_groups(const TensorMap& tensors, const std::string& name) {
  if (!tensors.contains(name)) return;
  const std::byte* const of = part(tensors, name, DType::i32, {cols_}).data;
  bool in_order = true;
  for (int64_t c = 0; c < cols_; ++c) {
    const auto g = int32_t(word_at(of, c));
    group_of_.push_back(g);
    if (g < 0 || g >= groups_)
      fail(Status::bad_file, "tensor '%.200s': value %jd is %d, expected a group from 0 to %jd", name.c_str(), c,
           int(g), groups_ - 1);
    in_order = in_order && g == c / group_;
  }
  if (in_order)
    group_of_.clear();
  else
    dtype_ = DType::f32;
}

void ScaledMatrix::find_float_scales(const Context& context, const TensorMap& tensors) {
  const TensorEntry* const t = tensors.find(name_);
  codes_entry_ = &part(tensors, name_, t->dtype, {total_, cols_});
  codes_ = t->data;
  const std::string called = stem_ + layout_.float_scale;
  const TensorEntry* const scales = layout_.text.empty() ? nullptr : tensors.find(called);
  if (t->dtype == DType::f8_e5m2) {
    if (scales)
      fail(Status::unsupported, "tensor '%.200s': scales of F8_E5M2 weights are not supported", scales->name.c_str());
    dtype_ = DType::f16;
    return;
  }
  dtype_ = DType::e4m3_scaled;
  scale_rows_ = total_;
  scale_cols_ = cols_;
  if (!scales && !layout_.text.empty())
    fail(Status::bad_file, "tensor '%.200s' is missing: the scales of F8_E4M3 weights", called.c_str());
  if (!scales) {
    scales_ = context.allocate(4, "scales of quantised weights");
    *reinterpret_cast<float*>(scales_.data()) = 1;
    return;
  }
  const int64_t rows = layout_.block_rows ? (total_ + layout_.block_rows - 1) / layout_.block_rows : 0,
                cols = layout_.block_cols ? (cols_ + layout_.block_cols - 1) / layout_.block_cols : 0;
  const Shape& is = part(tensors, called, scales->dtype, scales->shape).shape;
  const Shape blocks{rows, cols};
  if (rows && is == blocks) {
    scale_rows_ = layout_.block_rows;
    scale_cols_ = layout_.block_cols;
  } else if (is == Shape{total_, 1}) {
    scale_rows_ = 1;
  } else if (is.count() != 1) {
    fail(Status::bad_file, "tensor '%.200s' has shape %s, expected one value, [%jd,1]%s%s", scales->name.c_str(),
         is.text().c_str(), total_, rows ? " or " : "", rows ? blocks.text().c_str() : "");
  }
  read_scales(context, *scales);
}

int ScaledMatrix::code(int64_t row, int64_t col) const noexcept {
  switch (layout_.codes) {
    case ScaledLayout::Codes::awq:
      return four_bits(word_at(codes_, col * (total_ / kCodes) + row / kCodes), kAwqPlace[row % kCodes]);
    case ScaledLayout::Codes::gptq: return four_bits(word_at(codes_, col / kCodes * total_ + row), col % kCodes);
    default: return four_bits(word_at(codes_, row * (cols_ / kCodes) + col / kCodes), col % kCodes);
  }
}

int ScaledMatrix::zero(int64_t row, int64_t group) const noexcept {
  switch (layout_.codes) {
    case ScaledLayout::Codes::awq:
      return four_bits(word_at(zeros_, group * (total_ / kCodes) + row / kCodes), kAwqPlace[row % kCodes]);
    case ScaledLayout::Codes::gptq: {
      const int stored = four_bits(word_at(zeros_, group * (total_ / kCodes) + row / kCodes), row % kCodes);
      return layout_.zeros_less_one ? (stored + 1) & 15 : stored;
    }
    default: return zeros_ ? four_bits(word_at(zeros_, row / kCodes * groups_ + group), row % kCodes) : 8;
  }
}

float ScaledMatrix::scale(int64_t row, int64_t group) const noexcept {
  return scale_at(layout_.codes == ScaledLayout::Codes::packed ? row * groups_ + group : group * total_ + row);
}

void ScaledMatrix::write_codes(uint8_t* to, int64_t row) const noexcept {
  for (int64_t c = 0; c < cols_; c += kBlock, to += info(DType::u4_scaled).bytes) {
    const int64_t g = c / group_;
    const float d = scale(row, g);
    memcpy(to, &d, 4);
    to[4] = uint8_t(zero(row, g));
    for (int64_t i = 0; i < kBlock / 2; ++i) to[5 + i] = uint8_t(code(row, c + i) | code(row, c + i + kBlock / 2) << 4);
  }
}

void ScaledMatrix::write_floats(uint8_t* to, int64_t row) const noexcept {
  const int64_t scales_a_row = (cols_ + scale_cols_ - 1) / scale_cols_;
  for (int64_t c = 0; c < cols_; c += kBlock, to += info(DType::e4m3_scaled).bytes) {
    const float d = scale_at(row / scale_rows_ * scales_a_row + c / scale_cols_);
    memcpy(to, &d, 4);
    memcpy(to + 4, codes_ + row * cols_ + c, kBlock);
  }
}

void ScaledMatrix::write_row(uint8_t* to, int64_t row) const noexcept {
  if (dtype_ == DType::u4_scaled) return write_codes(to, row);
  if (dtype_ == DType::e4m3_scaled) return write_floats(to, row);
  for (int64_t c = 0; c < cols_; ++c) {
    if (dtype_ == DType::f16) {
      const uint16_t half = uint16_t(uint16_t(codes_[row * cols_ + c]) << 8);
      memcpy(to + 2 * c, &half, 2);
    } else {
      const int64_t g = group_of_[size_t(c)];
      const float w = scale(row, g) * float(code(row, c) - zero(row, g));
      memcpy(to + 4 * c, &w, 4);
    }
  }
}

}  // namespace puna
