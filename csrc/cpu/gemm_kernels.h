// Kernels of products with weights that were packed ahead; see kernels.h.
#pragma once

#include "base/flow_state.h"
#include "base/parallel.h"
#include "base/tensor.h"

namespace omni {

// clang-format off
#define OMNI_GEMM_KERNELS(X)
// clang-format on

}  // namespace omni
