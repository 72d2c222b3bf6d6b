// families.inl.h -- every kernel family and the table that exports them; included once by each isa_<level>.cpp.
// In this order: each stands on those above it.
// clang-format off
#include "kernels/exp.inl.h"
#include "kernels/rows.inl.h"
#include "kernels/groups.inl.h"
#include "kernels/formats_grid.inl.h"
#include "kernels/formats.inl.h"
#include "kernels/gemm.inl.h"
#include "kernels/attention.inl.h"
#include "kernels/multiply.inl.h"
#include "kernels/attention_backward.inl.h"
#include "kernels/rows_backward.inl.h"
#include "kernels/vision.inl.h"
#include "kernels/recommend_rows.inl.h"
#include "kernels/history.inl.h"
#include "kernels/search.inl.h"
// clang-format on

namespace puna::PUNA_ISA {

#define PUNA_STRING_OF(x) #x
#define PUNA_STRING(x) PUNA_STRING_OF(x)
extern const KernelTable kTable;
constexpr KernelTable kTable = {
    .name = PUNA_STRING(PUNA_ISA),
    .tile_f = tile_f,
    .gemm_q = gemm_q,
    .gemm_f = gemm_f,
    .quantise_row = quantise_row,
    .rms_norm = rms_norm,
    .add = add_rows,
    .scale = scale_row,
    .swiglu = swiglu,
    .geglu = geglu,
    .clamped_swiglu = clamped_swiglu,
    .softcap = softcap,
    .sigmoid = sigmoid,
    .rope_interleaved = rope_interleaved,
    .rope_half_split = rope_half_split,
    .to_f16 = to_f16_row,
    .attend_f32 = attend_f32,
    .attend_f16 = attend_f16,
    .attend_q8 = attend_q8,
    .merge_attention = merge_attention,
    .finish_attention = finish_attention,
    .gemm_back = gemm_back,
    .gemm_outer = gemm_outer,
    .attend_backward = attend_backward,
    .rms_norm_backward = rms_norm_backward,
    .swiglu_backward = swiglu_backward,
    .geglu_backward = geglu_backward,
    .clamped_swiglu_backward = clamped_swiglu_backward,
    .softcap_backward = softcap_backward,
    .dot = dot,
    .add_scaled = add_scaled,
    .add_product = add_product,
    .softmax_state = softmax_state,
    .softmax_gradient = softmax_gradient,
    .layer_norm = layer_norm,
    .gelu = gelu,
    .to_bf16 = to_bf16_row,
    .history_attend = history_attend,
    .history_attend_backward = history_attend_backward,
    .layer_norm_backward = layer_norm_backward,
    .silu = silu,
    .silu_backward = silu_backward,
    .gather_dots = gather_dots,
    .gather_add = gather_add,
    .search_codes = search_codes,
    .dot_codes = dot_codes,
};

}  // namespace puna::PUNA_ISA

#ifdef PUNA_ISA_WITH_DOTS  // the level that has an integer dot instruction besides: dots.inl.h
namespace puna {
template <class F>
struct Named;
template <class F>
struct Named<F*> {
  using Function = F;
};
}  // namespace puna
namespace puna::PUNA_ISA_WITH_DOTS {
Named<decltype(KernelTable::gemm_q)>::Function gemm_q;
Named<decltype(KernelTable::search_codes)>::Function search_codes;
Named<decltype(KernelTable::dot_codes)>::Function dot_codes;
extern const KernelTable kTable;
constexpr KernelTable kTable = [] {
  KernelTable table = PUNA_ISA::kTable;
  table.name = PUNA_STRING(PUNA_ISA_WITH_DOTS);
  table.gemm_q = gemm_q;
  table.search_codes = search_codes;
  table.dot_codes = dot_codes;
  return table;
}();
}  // namespace puna::PUNA_ISA_WITH_DOTS
#endif
