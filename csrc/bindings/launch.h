// How a binding runs a kernel: now, and again whenever the plan that is being recorded runs.
#pragma once

#include <initializer_list>

#include "base/parallel.h"
#include "bindings/plan.h"
#include "bindings/tensor_caster.h"
#include "runtime/plan.h"

namespace omni::bindings {

inline Team& eager_team() {
  thread_local Team team;
  return team;
}

// `owners` are the arguments whose memory the call touches.
template <class Args>
void launch(const char* name, void (*kernel)(const Args&, Team&), const Args& args,
            std::initializer_list<Maybe> owners) {
  if (Plan* plan = Plan::recording()) {
    plan->append(name, kernel, args);
    for (const Maybe& arg : owners)
      if (arg) keep_with_recording(arg->owner);
  }
  pybind11::gil_scoped_release release;
  kernel(args, eager_team());
}

}  // namespace omni::bindings
