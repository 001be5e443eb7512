// GELU's approximation by tanh (Hendrycks and Gimpel, arXiv 1606.08415).
#pragma once

#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

// x (1 + tanh u) / 2 = x / (1 + e^-2u)
inline Vec gelu_tanh(Vec x) {
  Vec u = 0.7978845608f * (x + 0.044715f * x * x * x);
  return x / (1.f + exp(-2.f * u));
}

}  // namespace
}  // namespace omni::OMNI_ISA
