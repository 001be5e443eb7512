// What changes from one decode step to the next: one row of the int32 tensor [B, 16] per sequence.
#pragma once

#include <cstdint>

namespace omni {

struct StepState {
  int32_t token;      // in: the id to embed; out: the id sampled
  int32_t position;   // rope position of this token
  int32_t kv_len;     // tokens in the cache before this step
  int32_t slot;       // row of the page tables, the ring and the seen marks
  int32_t row;        // thinker: ring row it writes; talker: text row it consumes; never wrapped
  int32_t text_rows;  // talker: rows of the reply, INT32_MAX while unknown
  uint32_t step;      // counter of the random generator
  uint32_t seed_low;
  uint32_t seed_high;
  float temperature;  // 0 is greedy
  float top_p;
  float repetition_penalty;
  int32_t top_k;          // 0 is off
  int32_t next_position;  // of the token that this step samples; see ops/state.py
  int32_t reserved[2];
};

constexpr int kStateWords = 16;
static_assert(sizeof(StepState) == kStateWords * sizeof(int32_t));

}  // namespace omni
