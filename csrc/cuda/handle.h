// Owners of what the driver makes.
#pragma once

#include <utility>

#include "cuda/driver.h"

namespace omni::cuda {

// Move-only. Destroy: the driver's entry that takes the handle back.
template <class T, auto Destroy>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T value) : value_(value) {}
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, T{})) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Handle() {
    if (value_ != T{}) (driver().*Destroy).quietly(value_);
  }

  T get() const { return value_; }

 private:
  T value_{};
};

}  // namespace omni::cuda
