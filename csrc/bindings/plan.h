// A Plan together with the Python owners of the buffers that its calls point into.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <utility>

#include "runtime/plan.h"

namespace omni::bindings {

struct OwnedPlan {
  explicit OwnedPlan(std::string name) : plan(std::move(name)) {}

  Plan plan;
  pybind11::list owners;
};

// Keeps `owner` alive as long as the plan that this thread records into; nothing if none does.
void keep_with_recording(pybind11::handle owner);

}  // namespace omni::bindings
