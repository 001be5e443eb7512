#include "cpu/kernels.h"
#include "cpu/quantized_row.h"

namespace omni::OMNI_ISA {
namespace {

constexpr float kTop8 = 127, kTop4 = 15;

// Round to nearest, ties to even, for |value| < 2^22.
inline float nearest(float value) { return (value + kRounder) - kRounder; }

inline float clamp(float value, float low, float high) {
  return value < low ? low : value > high ? high : value;
}

// The least, the largest and the first of the largest magnitude of a group; 0 counts as well.
struct Range {
  float low = 0, high = 0, signed_top = 0;
};

template <class T>
Range range_of(const T* w, int64_t count) {
  Range range;
  float top = 0, odd = 0;
  for (int64_t i = 0; i < count; ++i) {
    float value = widen(w[i]), size = value < 0 ? -value : value;
    odd += value * 0;  // not a number if the value is none, or infinite
    range.low = value < range.low ? value : range.low;
    range.high = value > range.high ? value : range.high;
    if (size > top) top = size, range.signed_top = value;
  }
  return {range.low + odd, range.high + odd, range.signed_top + odd};
}

// What the values of a group become: round(w / scale) + zero within [low, high].
struct Grid {
  float scale, zero, low, high;

  template <class T>
  uint8_t operator()(T w) const {
    float steps = scale == 0 ? 0 : nearest(widen(w) / scale);
    return static_cast<uint8_t>(static_cast<int>(clamp(steps + zero, low, high)));
  }
};

Grid store_grid8(const Range& range, const QuantizedRow& row) {
  float top = range.signed_top < 0 ? -range.signed_top : range.signed_top;
  float scale = top / kTop8;
  row.set_scale8(scale);
  return {scale, 0, -kTop8, kTop8};
}

Grid store_grid4(const Range& range, const QuantizedRow& row, int64_t group) {
  bool has_zero = row.has_zeros();
  float exact = has_zero ? (range.high - range.low) / kTop4 : range.signed_top / -kMiddle;
  uint16_t half = narrow_half(exact);
  float scale = widen_half(half), zero = kMiddle;
  row.set_scale4(group, half);
  if (has_zero) {
    zero = scale == 0 ? 0 : clamp(nearest(-range.low / scale), 0, kTop4);
    row.set_zero(group, static_cast<uint8_t>(zero));
  }
  return {scale, zero, 0, kTop4};
}

template <class T>
void quantize_row(const Quantized& to, const T* w, int64_t n) {
  QuantizedRow row(to, n);
  for (int64_t first = 0; first < to.k; first += to.group) {
    int64_t count = smaller(to.group, to.k - first);
    Range range = range_of(w + first, count);
    Grid grid = to.bits == 8 ? store_grid8(range, row) : store_grid4(range, row, first / to.group);
    for (int64_t i = first; i < first + count; ++i) row.set_value(i, grid(w[i]));
  }
}

// Outputs [16 * panel, 16 * panel + 16), absent ones as zeros.
template <class T>
void quantize_panel(const Quantize& a, const T* w, int64_t panel) {
  const Quantized& to = a.out;
  int64_t groups = ceil_div(to.k, to.group), bytes = padded(to.k) * to.bits / 32 * kChunk;
  int64_t scale_bytes = groups * kOutputs * (to.bits == 8 ? sizeof(float) : sizeof(uint16_t));
  memset(to.data + panel * bytes, 0, bytes);
  memset(static_cast<char*>(to.scales) + panel * scale_bytes, 0, scale_bytes);
  if (to.zeros != nullptr) memset(to.zeros + panel * groups * 8, 0, groups * 8);
  for (int64_t n = panel * kOutputs; n < smaller(to.n, (panel + 1) * kOutputs); ++n)
    quantize_row(to, w + n * to.k, n);
}

}  // namespace

void quantize(const Quantize& a, Team& team) {
  with_type(a.weight.data, a.weight.dtype, [&](auto* w) {
    team.run(static_cast<int>(ceil_div(a.out.n, kOutputs)),
             [&](int panel) { quantize_panel(a, w, panel); });
  });
}

}  // namespace omni::OMNI_ISA
