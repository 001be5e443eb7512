// Kernels of the vocoder; see kernels.h.
//
// Signals are time first: [rows, channels]. A span, read when a kernel runs, says which rows of the
// input it works on; the output begins at its own first row.
#pragma once

#include "base/parallel.h"
#include "base/tensor.h"

namespace omni {

struct Span {
  int32_t first, rows;
};

// Output channels of one panel of packed weights.
constexpr int64_t kPanel = 16;

// A convolution that keeps the length. Taps come in groups, each of as many as its transform takes:
// on 7 points those of Toom-Cook's F(5, 3) for 3 taps, F(4, 4) for more; on 1 point one tap.
struct VocoderConv {
  const Span* span;
  const float* x;        // [., channels]
  const float* weights;  // [points, panels, groups, channels, kPanel]
  const float* bias;     // [out_channels] or null
  float* out;            // [., out_channels]
  int64_t channels, out_channels, points, groups;
  int64_t kernel, dilation;
  bool add;  // to what out holds
};

struct VocoderUpsample {
  const Span* span;
  const float* x;        // [., channels]
  const float* weights;  // [panels, kernel, channels, kPanel]
  const float* bias;     // [out_channels] or null
  float* out;            // [., out_channels]: rate rows for each of x
  int64_t channels, out_channels, kernel, rate, padding;
};

// How far a convolution's groups of taps may lie apart, and how far signals may be upsampled: what
// the kernels keep on the stack.
constexpr int64_t kMaxSpread = 32;
constexpr int64_t kMaxRate = 32;

constexpr int64_t kMaxParts = 4;  // of a mean

struct VocoderSnake {
  const Span* span;
  const float* x;      // [., channels]
  const float* alpha;  // [channels]: logarithms
  const float* beta;   // [channels]: logarithms
  float* out;          // [., channels]
  int64_t channels;
};

struct VocoderMean {
  const Span* span;
  const float* parts[kMaxParts];  // each [., channels]; the first `count`
  float* out;                     // [., channels]
  int64_t count, channels;
};

struct VocoderClamp {
  const Span* span;
  const float* x;  // [., channels]
  float* out;      // [., channels]
  int64_t channels;
  float scale, shift;
};

// clang-format off
#define OMNI_VOCODER_KERNELS(X)         \
  X(vocoder_conv, VocoderConv)          \
  X(vocoder_upsample, VocoderUpsample)  \
  X(vocoder_snake, VocoderSnake)        \
  X(vocoder_mean, VocoderMean)          \
  X(vocoder_clamp, VocoderClamp)
// clang-format on

}  // namespace omni
