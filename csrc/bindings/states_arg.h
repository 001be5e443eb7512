// Step states as bindings receive them.
#pragma once

#include "base/check.h"
#include "base/step_state.h"
#include "bindings/cache_arg.h"
#include "bindings/tensor_caster.h"

namespace omni::bindings {

// states: int32 [B, 16]; binds B.
inline StepState* states_of(Check& check, const Arg& states) {
  check("states", states.tensor, "B 16", {DType::i32});
  return states.tensor.as<StepState>();
}

// That every slot is a row of what has `slots` rows. A replay trusts the runtime for this.
inline void require_slots(const Check& check, const StepState* states, int64_t slots) {
  for (int64_t b = 0; b < check["B"]; ++b)
    check.require(states[b].slot >= 0 && states[b].slot < slots,
                  "states[" + std::to_string(b) + "] has slot " + std::to_string(states[b].slot) +
                      ", expected 0 <= slot < S=" + std::to_string(slots));
}

// That every slot has a ring, "S R E", and every row a place in it.
inline void require_ring(const Check& check, const StepState* states) {
  require_slots(check, states, check["S"]);
  check.require(check["R"] > 0, "ring has no rows, R=0");
  for (int64_t b = 0; b < check["B"]; ++b)
    check.require(states[b].row >= 0, "states[" + std::to_string(b) + "] has row " +
                                          std::to_string(states[b].row) + ", expected 0 or more");
}

// That every sequence's cache has room for the row that this step appends.
inline void require_cached(const Check& check, const Cache& cache, const StepState* states) {
  require_slots(check, states, check["S"]);
  for (int64_t b = 0; b < check["B"]; ++b) {
    check.require(states[b].kv_len >= 0, "states[" + std::to_string(b) + "] has kv_len " +
                                             std::to_string(states[b].kv_len) +
                                             ", expected 0 or more");
    require_pages(check, cache, states[b].slot, static_cast<int64_t>(states[b].kv_len) + 1);
  }
}

}  // namespace omni::bindings
