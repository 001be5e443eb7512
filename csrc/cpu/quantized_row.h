// One output of a quantized weight, value by value.
#pragma once

#include "cpu/half.h"
#include "cpu/quant_kernels.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kOutputs = 16;  // of a panel
constexpr int kChunk = 64;    // bytes: 16 outputs times 4 inputs of 8 bits, or 8 of 4
constexpr int kMiddle = 8;    // what stands for 0 where a weight of 4 bits has no zero-points

class QuantizedRow {
 public:
  QuantizedRow(const Quantized& weight, int64_t n) : bits_(weight.bits) {
    int64_t panel = n / kOutputs, groups = ceil_div(weight.k, weight.group);
    output_ = static_cast<int>(n % kOutputs);
    data_ = weight.data + panel * (padded(weight.k) * bits_ / 32 * kChunk) + 4 * output_;
    scales8_ = static_cast<float*>(weight.scales) + panel * groups * kOutputs + output_;
    scales4_ = static_cast<uint16_t*>(weight.scales) + panel * groups * kOutputs + output_;
    if (weight.zeros != nullptr) zeros_ = weight.zeros + panel * groups * (kOutputs / 2);
  }

  bool has_zeros() const { return zeros_ != nullptr; }

  // The weight's integer less its zero-point.
  int steps(int64_t i, int zero) const {
    if (bits_ == 8) return static_cast<int8_t>(data_[i / 4 * kChunk + i % 4]);
    return (data_[i / 8 * kChunk + i % 4] >> shift(i) & 15) - zero;
  }
  float scale(int64_t group) const {
    return bits_ == 8 ? *scales8_ : widen_half(scales4_[group * kOutputs]);
  }
  int zero(int64_t group) const {
    if (zeros_ == nullptr) return kMiddle;
    return zeros_[group * (kOutputs / 2) + output_ % 8] >> (output_ / 8 * 4) & 15;
  }

  // Data and zero-points are zero until set.
  void set_value(int64_t i, uint8_t value) const {
    if (bits_ == 8)
      data_[i / 4 * kChunk + i % 4] = value;
    else
      data_[i / 8 * kChunk + i % 4] |= value << shift(i);
  }
  void set_scale8(float scale) const { *scales8_ = scale; }
  void set_scale4(int64_t group, uint16_t half) const { scales4_[group * kOutputs] = half; }
  void set_zero(int64_t group, uint8_t zero) const {
    zeros_[group * (kOutputs / 2) + output_ % 8] |= zero << (output_ / 8 * 4);
  }

 private:
  static int shift(int64_t i) { return static_cast<int>(i / 4 % 2 * 4); }

  int bits_, output_;
  uint8_t* data_;
  float* scales8_;
  uint16_t* scales4_;
  uint8_t* zeros_ = nullptr;
};

}  // namespace
}  // namespace omni::OMNI_ISA
