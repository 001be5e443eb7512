// Flow windows as bindings receive them: the state, and the tensors whose addresses it holds. A
// replay trusts the runtime for what is checked here.
#pragma once

#include <string>

#include "base/check.h"
#include "base/flow_state.h"
#include "bindings/tensor_caster.h"

namespace omni::bindings {

// state: int32 [16].
inline const FlowState* flow_state_of(Check& check, const Arg& state) {
  check("state", state.tensor, "16", {DType::i32});
  return state.tensor.as<const FlowState>();
}

// That `name`, a size that is known, holds `value`.
inline void require_below(const Check& check, const std::string& name, int64_t value,
                          int64_t size) {
  check.require(value >= 0 && value < size, name + " is " + std::to_string(value) +
                                                ", expected 0 <= " + name + " < " +
                                                std::to_string(size));
}

// That the live frames fit a buffer of `capacity` rows, `rows` a frame.
inline void require_frames(const Check& check, const FlowState& state, int64_t rows,
                           int64_t capacity) {
  check.require(rows >= 1, "rows=" + std::to_string(rows) + ", expected 1 or more");
  check.require(state.frames >= 0 && state.frames * rows <= capacity,
                "window of " + std::to_string(state.frames) + " frames in " + std::to_string(rows) +
                    " rows each, buffers of " + std::to_string(capacity));
}

// That an address in the state is that of the tensor passed beside it.
inline void require_same(const Check& check, const char* name, const void* address,
                         const Arg& tensor) {
  check.require(address == tensor.tensor.data,
                std::string("the state's address of ") + name + " is of another tensor");
}

// table: float32 [E, M, C], of which the state's evaluation is one. Binds E, M and C.
inline void require_table(Check& check, const FlowState& state, const Arg& table) {
  check("table", table.tensor, "E M C", {DType::f32});
  require_same(check, "table", state.table, table);
  require_below(check, "evaluation", state.evaluation, check["E"]);
}

}  // namespace omni::bindings
