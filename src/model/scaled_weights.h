// scaled_weights.h -- matrices of Hugging Face folders that were quantised: codes, scales and zero points in tensors
// beside each other (AWQ, GPTQ, compressed-tensors), or 8-bit floats and their scales. They become blocks of this
// library, to the last bit: weight = scale * (code - zero), or scale * float.
#pragma once
#include <string>
#include <vector>

#include "puna/base/context.h"
#include "puna/tensor/metadata.h"
#include "puna/tensor/tensor.h"

namespace puna {

// What config.json's quantization_config says of all of them.
struct ScaledLayout {
  // of the 4-bit codes, W[out, in], eight in an int32
  enum class Codes : uint8_t {
    none,
    awq,     // qweight [in, out/8], the outputs 0 2 4 6 1 3 5 7 from the lowest bits up
    gptq,    // qweight [in/8, out]
    packed,  // weight_packed [out, in/8]: compressed-tensors
  };
  Codes codes = Codes::none;
  int64_t group = 0;                          // inputs that share a scale; 0 = all
  bool zeros_less_one = false;                // GPTQ's first format keeps zero points less one, modulo 16
  bool symmetric = true;                      // compressed-tensors without zero points: they are 8
  int64_t block_rows = 0, block_cols = 0;     // of 8-bit floats that have a scale a block; 0 = they have none
  const char* float_scale = ".weight_scale";  // what their scales are called
  std::string text;                           // "AWQ, 4 bits, groups of 128"; "" = not quantised
};

// Error{unsupported} when it says what is not read, by name. `experts_are_mxfp4`: gpt-oss, whose experts' tensors say
// themselves what they are.
ScaledLayout scaled_layout(const Metadata& config, bool experts_are_mxfp4);

// One matrix [total, cols] of that kind, its parts found and checked.
class ScaledMatrix {
 public:
  // Whether `name` (".weight" at its end) is stored so.
  static bool is_there(const TensorMap& tensors, const ScaledLayout& layout, const std::string& name);
  ScaledMatrix(const Context& context, const TensorMap& tensors, const ScaledLayout& layout, const std::string& name,
               int64_t total, int64_t cols);

  // U4_SCALED or E4M3_SCALED; F16 for F8_E5M2, which are its upper halves; F32 where inputs are in groups by turns
  // (act-order), so that each has a scale of its own.
  DType dtype() const noexcept { return dtype_; }
  void write_row(uint8_t* to, int64_t row) const noexcept;
  const TensorEntry& codes() const noexcept { return *codes_entry_; }

 private:
  const TensorEntry& part(const TensorMap& tensors, const std::string& name, DType dtype, const Shape& shape) const;
  void read_scales(const Context& context, const TensorEntry& scales);
  void find_codes(const Context& context, const TensorMap& tensors);
  void find_groups(const TensorMap& tensors, const std::string& name);
  void find_float_scales(const Context& context, const TensorMap& tensors);
  int code(int64_t row, int64_t col) const noexcept;
  int zero(int64_t row, int64_t group) const noexcept;
  float scale(int64_t row, int64_t group) const noexcept;
  float scale_at(int64_t i) const noexcept { return reinterpret_cast<const float*>(scales_.data())[i]; }
  void write_codes(uint8_t* to, int64_t row) const noexcept;
  void write_floats(uint8_t* to, int64_t row) const noexcept;

  const ScaledLayout& layout_;
  std::string name_, stem_;  // with and without ".weight"
  int64_t total_, cols_, group_ = 0, groups_ = 1;
  DType dtype_ = DType::u4_scaled;
  const TensorEntry* codes_entry_ = nullptr;
  const std::byte *codes_ = nullptr, *zeros_ = nullptr;
  std::vector<int32_t> group_of_;            // each input's, where they are not in order
  Buffer scales_;                            // f32
  int64_t scale_rows_ = 0, scale_cols_ = 0;  // of 8-bit floats: rows and columns that share one
};

}  // namespace puna
