// exp.inl.h -- e^x for sixteen lanes with fixed operations: the same bits on every ISA. Relative error below 2e-7 on
// [-87, 88].
//   n = round(x log2 e),  r = x - n ln 2 in two parts (Cody and Waite 1980),  e^r by its Taylor series to r^7,  times
//                         2^n.
// Inputs are clamped to [-87.3, 88.3]: e^-inf comes out as 1e-38, which softmax and sigmoid cannot tell from zero.
namespace puna::PUNA_ISA {

PUNA_INLINE V exp(V x) {
  x = min(max(x, splat(-87.3f)), splat(88.3f));
  const V t = fma(x, splat(1.44269504f), splat(12582912.0f));  // n in the low bits
  const V n = sub(t, splat(12582912.0f));
  V r = fma(n, splat(-0.693359375f), x);  // ln 2 = 0.693359375 - 2.12194440e-4
  r = fma(n, splat(2.12194440e-4f), r);
  V p = splat(1.0f / 5040.0f);
  p = fma(p, r, splat(1.0f / 720.0f));
  p = fma(p, r, splat(1.0f / 120.0f));
  p = fma(p, r, splat(1.0f / 24.0f));
  p = fma(p, r, splat(1.0f / 6.0f));
  p = fma(p, r, splat(0.5f));
  p = fma(p, r, splat(1.0f));
  p = fma(p, r, splat(1.0f));
  return scale_by_power(p, t);
}

// 1 - 2 / (e^2x + 1): absolute error below 2e-7.
PUNA_INLINE V tanh(V x) { return sub(splat(1.0f), div(splat(2.0f), add(exp(add(x, x)), splat(1.0f)))); }

}  // namespace puna::PUNA_ISA
