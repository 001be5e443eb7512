// What the parts of the _core.cuda module share.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>
#include <utility>

#include "cuda/launch_plan.h"
#include "runtime/track.h"

namespace omni::bindings {

// A LaunchPlan together with the Python owners of its kernels and of the memory they work on.
struct OwnedLaunchPlan {
  explicit OwnedLaunchPlan(std::string name) : plan(std::move(name)) {}

  cuda::LaunchPlan plan;
  pybind11::list owners;
};

void register_cuda_device(pybind11::module_& m);
void register_cuda_plan(pybind11::module_& m);
void register_cuda_track(pybind11::module_& m);

}  // namespace omni::bindings
