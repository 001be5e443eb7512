// NVIDIA's driver, found when it is first asked for: machines without one run the same build.
#pragma once

#include <string>

#include "cuda/abi.h"
#include "runtime/error.h"

namespace omni::cuda {

// No driver, or one that is too old: a sentence for the user.
struct Unavailable : EngineError {
  using EngineError::EngineError;
};

// A call that failed: its name, and the driver's name and words for what happened.
struct Error : EngineError {
  Error(const char* call, Result result);
  Result result;
};

// One entry point. Calling it throws Error unless it succeeds.
template <class... Args>
class Entry {
 public:
  explicit Entry(const char* name) : name_(name) {}

  void operator()(Args... args) const {
    if (const Result result = function_(args...); result != kSuccess) throw Error(name_, result);
  }
  // For destructors, which cannot throw: what is wrong was told by a call before.
  Result quietly(Args... args) const noexcept { return function_(args...); }

  const char* name() const { return name_; }
  void** address() { return reinterpret_cast<void**>(&function_); }

 private:
  const char* name_;
  Result (*function_)(Args...) = nullptr;
};

class Driver {
 public:
  // Throws Unavailable.
  explicit Driver(const std::string& path);
  Driver(const Driver&) = delete;

  int version() const { return version_; }  // 1000 * major + 10 * minor

#define OMNI_CUDA_MEMBER(name, ...) Entry<__VA_ARGS__> name{#name};
  OMNI_CUDA_ENTRIES(OMNI_CUDA_MEMBER)
#undef OMNI_CUDA_MEMBER

 private:
  int version_ = 0;
};

// Where driver() looks, if it has not looked yet. The default is what the loader finds.
void set_library(const std::string& path);

// The driver of the process: loaded and initialised once, never unloaded. Throws Unavailable, or
// Error if there is no device that can be used; then the next call tries anew.
const Driver& driver();

}  // namespace omni::cuda
