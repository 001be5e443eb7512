#include "cpu/kernels.h"
#include "cpu/quant_panel.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kRowTile = 4;                    // rows that share a panel in registers
constexpr int64_t kPanelChunkBytes = 1 << 17;  // of weights: a few microseconds of reading

Rounded rounded_row(const QuantLinear& a, int64_t row) {
  uint8_t* from = a.rounded + row * rounded_bytes(a.weight.k);
  int64_t k = padded(a.weight.k);
  auto* scale = reinterpret_cast<float*>(from + k);
  return {reinterpret_cast<int8_t*>(from), scale, scale + k / kBlockInputs};
}

// Rounds 32 activations; returns their sum as rounded. What is not finite makes the scale a NaN.
float round_block(const float* x, int8_t* value, float* scale) {
  Vec top = {}, odd = {};
  for (int i = 0; i < kBlockInputs; i += kLanes) {
    Vec v = load(x + i);
    top = max(max(v, -v), top);
    odd = multiply_add(v, Vec{}, odd);
  }
  float most = largest(top);
  *scale = most / 127 + sum(odd);
  Vec inverse = splat(most > 0 ? 127 / most : 0);
  int total = 0;
  for (int i = 0; i < kBlockInputs; i += kLanes) {
    BitVec shifted = (BitVec)multiply_add(load(x + i), inverse, splat(12582912.f));  // 1.5 * 2^23
    for (int lane = 0; lane < kLanes; ++lane) {
      value[i + lane] = static_cast<int8_t>(shifted[lane]);
      total += value[i + lane];
    }
  }
  return total * *scale;
}

void round_row(const QuantLinear& a, int64_t row) {
  const float* x = a.x + row * a.weight.k;
  Rounded to = rounded_row(a, row);
  for (int64_t i = 0; i < padded(a.weight.k); i += kBlockInputs) {
    float tail[kBlockInputs] = {};
    const float* from = x + i;
    if (i + kBlockInputs > a.weight.k) {
      memcpy(tail, from, (a.weight.k - i) * sizeof(float));
      from = tail;
    }
    float sum = round_block(from, to.value + i, to.scale + i / kBlockInputs);
    int64_t group = i / a.weight.group;
    to.sum[group] = i % a.weight.group == 0 ? sum : to.sum[group] + sum;
  }
}

// Outputs of one panel for B rows, the bias added.
template <class Format, int B>
void multiply_rows(const QuantLinear& a, int64_t panel, int64_t row) {
  Rounded rows[B];
  for (int b = 0; b < B; ++b) rows[b] = rounded_row(a, row + b);
  float sums[B * kOutputs];
  multiply_panel<Format, B>(a.weight, panel, rows, sums);
  int64_t first = panel * kOutputs, count = smaller(kOutputs, a.weight.n - first);
  with_type(a.bias.data, a.bias.dtype, [&](auto* bias) {
    for (int b = 0; b < B; ++b)
      sweep(count, [&](int64_t i, auto lanes) {
        Vec value = load(sums + b * kOutputs + i, lanes);
        if (bias != nullptr) value += load(bias + first + i, lanes);
        store(a.out + (row + b) * a.weight.n + first + i, value, lanes);
      });
  });
}

template <class Format>
void multiply(const QuantLinear& a, int64_t panel) {
  int64_t row = 0;
  for (; row + kRowTile <= a.rows; row += kRowTile) multiply_rows<Format, kRowTile>(a, panel, row);
  if (a.rows - row == 3) multiply_rows<Format, 3>(a, panel, row);
  if (a.rows - row == 2) multiply_rows<Format, 2>(a, panel, row);
  if (a.rows - row == 1) multiply_rows<Format, 1>(a, panel, row);
}

}  // namespace

void quant_linear(const QuantLinear& a, Team& team) {
  team.run(static_cast<int>(a.rows), [&](int row) { round_row(a, row); });
  int64_t panels = ceil_div(a.weight.n, kOutputs);
  int64_t panel_bytes = larger(1, padded(a.weight.k) * kOutputs * a.weight.bits / 8);
  int64_t block = larger(1, kPanelChunkBytes / panel_bytes);
  team.run(static_cast<int>(ceil_div(panels, block)), [&](int chunk) {
    for (int64_t p = chunk * block; p < smaller(panels, (chunk + 1) * block); ++p)
      a.weight.bits == 8 ? multiply<Int8>(a, p) : multiply<Int4>(a, p);
  });
}

}  // namespace omni::OMNI_ISA
