// gguf_format.cpp -- type ids of GGUF tensors: the ones read here, and the names of those that are not.
#include "io/gguf_format.h"

namespace puna::io::gguf {
namespace {

struct Pair {
  uint32_t id;
  DType dtype;
};
constexpr Pair kRead[] = {
    {0, DType::f32},    {1, DType::f16},      {2, DType::q4_0},    {3, DType::q4_1},     {6, DType::q5_0},
    {7, DType::q5_1},   {8, DType::q8_0},     {10, DType::q2_k},   {11, DType::q3_k},    {12, DType::q4_k},
    {13, DType::q5_k},  {14, DType::q6_k},    {20, DType::iq4_nl}, {23, DType::iq4_xs},  {24, DType::i8},
    {25, DType::i16},   {26, DType::i32},     {27, DType::i64},    {28, DType::f64},     {30, DType::bf16},
    {39, DType::mxfp4}, {16, DType::iq2_xxs}, {17, DType::iq2_xs}, {18, DType::iq3_xxs}, {19, DType::iq1_s},
    {21, DType::iq3_s}, {22, DType::iq2_s},   {29, DType::iq1_m},  {34, DType::tq1_0},   {35, DType::tq2_0},
};

struct Named {
  uint32_t id;
  const char* name;
};
constexpr Named kNotRead[] = {
    {4, "Q4_2"}, {5, "Q4_3"}, {9, "Q8_1"}, {15, "Q8_K"}, {40, "NVFP4"},
};

}  // namespace

std::optional<DType> dtype_of(uint32_t type_id) noexcept {
  for (const Pair& p : kRead)
    if (p.id == type_id) return p.dtype;
  return std::nullopt;
}

std::optional<uint32_t> type_id_of(DType dtype) noexcept {
  for (const Pair& p : kRead)
    if (p.dtype == dtype) return p.id;
  return std::nullopt;
}

const char* name_of_type(uint32_t type_id) noexcept {
  if (const auto dtype = dtype_of(type_id)) return name(*dtype);
  for (const Named& n : kNotRead)
    if (n.id == type_id) return n.name;
  return "unknown";
}

}  // namespace puna::io::gguf
