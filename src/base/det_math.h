// det_math.h -- elementary functions with the same bits on every CPU, compiler and C library (docs/architecture.md,
// section 5). Only + - * / and integer bit operations in a fixed order: no libm, no fma, so there is nothing for a
// platform to choose. Within 1.5 ulp of the true value, tanh 2.5 (tests/base/test_det_math.cpp measures each). Scalar
// code outside the kernels uses these; it runs under FpEnv (fp_env.h). Every NaN returned is the same positive quiet
// NaN.
#pragma once
#include <cstdint>

namespace puna::det {

double exp(double x) noexcept;
// y[i] = exp(x[i]), the same bits as above, for |x[i]| <= 708 only: a loop that compilers turn into vectors. y may be
// x.
void exp(double* y, const double* x, int64_t n) noexcept;
double log(double x) noexcept;  // log(0) = -infinity, NaN below zero
double log1p(double x) noexcept;
double pow(double x, double y) noexcept;  // x >= 0; NaN below zero (our bases are wavelengths and decays)
double tanh(double x) noexcept;
double erf(double x) noexcept;

// |x| <= kMaxAngle, with errors relative to the result (positions times frequencies); NaN beyond.
inline constexpr double kMaxAngle = 134217728.0;  // 2^27
void sincos(double x, double* sine, double* cosine) noexcept;
double sin(double x) noexcept;
double cos(double x) noexcept;

}  // namespace puna::det
