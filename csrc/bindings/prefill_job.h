// A Python iterator as the thinker lane's first work on a session.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "bindings/tensor_caster.h"
#include "runtime/prefill.h"

namespace omni::bindings {

// iterator: each next() reads a piece of the prompt; when it ends, `thinker` and `talker`, int32
// [1, 16], hold the states of the first steps. The GIL is taken inside a step only.
std::unique_ptr<PrefillJob> make_prefill_job(pybind11::object iterator, Arg thinker, Arg talker);

}  // namespace omni::bindings
