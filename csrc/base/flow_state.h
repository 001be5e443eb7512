// What one evaluation of the flow's velocity works on, read when its plan runs.
#pragma once

#include <cstdint>

namespace omni {

// 64 bytes; in Python one int32 tensor [16].
struct FlowState {
  int32_t frames;      // of the window
  int32_t start;       // the window's first frame, counted from the first of the reply
  int32_t keep;        // frames [0, keep) are final: the block that ends there is cached, 0: none
  int32_t left;        // whether the cache holds the block before the window
  int32_t evaluation;  // row of table and cache
  int32_t reserved;
  uint64_t seed;         // of the noise
  const float* table;    // [evaluations, 6 * layers + 2, C]: adaptive norms
  float* cache;          // [evaluations, layers that look back, 2, rows, block, C]: keys, values
  const float* voice;    // [2, C]: what the voice adds to the input, and what stands for none
  const int32_t* codes;  // [frames / repeats]
};
static_assert(sizeof(FlowState) == 64);

}  // namespace omni
