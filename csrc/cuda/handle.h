// Owners of what the driver makes.
#pragma once

#include <utility>

#include "cuda/driver.h"

namespace omni::cuda {

// Makes a context the calling thread's for a while.
class Using {
 public:
  explicit Using(Context context) {
    driver().cuCtxGetCurrent.quietly(&before_);
    driver().cuCtxSetCurrent.quietly(context);
  }
  ~Using() { driver().cuCtxSetCurrent.quietly(before_); }
  Using(const Using&) = delete;
  Using& operator=(const Using&) = delete;

 private:
  Context before_ = nullptr;
};

// Move-only; made with its device in use, destroyed on any thread while the device is there.
// Destroy: the driver's entry that takes the handle back.
template <class T, auto Destroy>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T value) : value_(value) { driver().cuCtxGetCurrent(&context_); }
  Handle(Handle&& other) noexcept
      : value_(std::exchange(other.value_, T{})), context_(other.context_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    std::swap(context_, other.context_);
    return *this;
  }
  ~Handle() {
    if (value_ == T{}) return;
    const Using context(context_);
    (driver().*Destroy).quietly(value_);
  }

  T get() const { return value_; }

 private:
  T value_{};
  Context context_ = nullptr;
};

}  // namespace omni::cuda
