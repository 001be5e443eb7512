// Kernels of the vocoder; see kernels.h.
#pragma once

#include "base/flow_state.h"
#include "base/parallel.h"
#include "base/tensor.h"

namespace omni {

// clang-format off
#define OMNI_VOCODER_KERNELS(X)
// clang-format on

}  // namespace omni
