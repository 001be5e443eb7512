// How the inputs of a quantized weight are cut into runs that are summed before they are scaled.
#pragma once

#include "cpu/quant_kernels.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kPart = 512;  // most inputs whose products are summed before they are scaled

// Inputs that kernels sum before they scale: a group's, or some of a long one's.
inline int64_t part_inputs(const Quantized& weight) {
  if (weight.group <= kPart) return weight.group;
  return weight.group % kPart == 0 || weight.group >= weight.k ? kPart : kBlockInputs;
}

// Some blocks of inputs that share a scale: what is summed before it is scaled.
struct Span {
  int64_t block, blocks, group, index;
};

inline int64_t spans_of(const Quantized& weight) {
  return ceil_div(padded(weight.k), part_inputs(weight));
}

inline Span span_of(const Quantized& weight, int64_t index) {
  const int64_t blocks = padded(weight.k) / kBlockInputs, most = part_inputs(weight) / kBlockInputs;
  const int64_t block = index * most;
  return {block, smaller(most, blocks - block), block * kBlockInputs / weight.group, index};
}

// Calls f(span) for all spans of a weight, in order.
template <class F>
inline void for_spans(const Quantized& weight, F&& f) {
  for (int64_t i = 0; i < spans_of(weight); ++i) f(span_of(weight, i));
}

}  // namespace
}  // namespace omni::OMNI_ISA
