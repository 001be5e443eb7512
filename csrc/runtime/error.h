// Errors with a meaning for callers; the bindings turn them into those of omnirt.errors.
#pragma once

#include <stdexcept>

namespace omni {

// What a user gave cannot be used.
struct InputError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// A request that does not fit.
struct CapacityError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A step that failed, or a runtime that was closed.
struct EngineError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace omni
