// Kernels of the flow-matching transformer; see kernels.h.
//
// Activations have capacity for the largest window; a call works on its live prefix, state->frames
// frames of `rows` guidance rows each: row = frame * rows + r. All else that changes is in the
// state too.
#pragma once

#include "base/flow_state.h"
#include "base/parallel.h"
#include "base/tensor.h"

namespace omni {

struct FlowNoise {
  const FlowState* state;
  float* out;  // [frames, channels]
  int64_t channels;
};

struct FlowInput {
  const FlowState* state;
  const float* base;       // [frames, channels]: of the noisy mel
  const float* projected;  // [num_codes + 1, channels]: of each code
  float* out;              // [frames * rows, channels]
  int64_t rows, channels, repeats;
};

struct FlowModulate {
  const FlowState* state;
  const float* x;  // [frames * rows, channels]
  float* out;      // [frames * rows, channels]
  int64_t rows, channels;
  int64_t table_rows;    // of one evaluation
  int64_t shift, scale;  // rows of the table
  float eps;
};

struct FlowRopeAngles {
  const FlowState* state;
  const float* inv_freq;  // [half]
  float* cos;             // [frames, half]
  float* sin;             // [frames, half]
  int64_t half;
};

struct FlowAttention {
  const FlowState* state;
  const float* qkv;  // [frames * rows, 3, heads, dim]
  const float* cos;  // [frames, dim / 2]
  const float* sin;  // [frames, dim / 2]
  float* out;        // [frames * rows, heads, dim]
  int64_t rows, heads, dim;
  int64_t block, back, ahead;
  int64_t layers, layer;  // that the cache holds, and which of them this is: -1 is none
};

// The most frames of a block, and of the blocks that one sees, that attention keeps on the stack.
constexpr int64_t kMaxFlowBlock = 64;
constexpr int64_t kMaxFlowSpan = 192;

// A row of the adaptive norms' table at the state's evaluation: [channels].
inline const float* table_row(const FlowState& state, int64_t table_rows, int64_t row,
                              int64_t channels) {
  return state.table + (state.evaluation * table_rows + row) * channels;
}

// clang-format off
#define OMNI_FLOW_KERNELS(X)           \
  X(flow_noise, FlowNoise)             \
  X(flow_input, FlowInput)             \
  X(flow_modulate, FlowModulate)       \
  X(flow_rope_angles, FlowRopeAngles)  \
  X(flow_attention, FlowAttention)
// clang-format on

}  // namespace omni
