// A non-owning view of a dense array. Whoever passes it keeps the memory alive.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace omni {

constexpr int kMaxDims = 6;

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  int ndim = 0;
  int64_t shape[kMaxDims] = {};

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// Elements in one of the two stored precisions; kernels convert as they read.
struct Stored {
  const void* data = nullptr;
  DType dtype = DType::f32;
};

inline Stored stored(const Tensor& tensor) { return {tensor.data, tensor.dtype}; }

}  // namespace omni
