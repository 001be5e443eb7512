// Memory of the device, and of the host where copies need not stop for it.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "cuda/handle.h"

namespace omni::cuda {

class DeviceMemory {
 public:
  explicit DeviceMemory(size_t bytes) : bytes_(bytes) {
    Address address = 0;
    driver().cuMemAlloc(&address, bytes);
    handle_ = Handle<Address, &Driver::cuMemFree>(address);
  }

  Address address() const { return handle_.get(); }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_;
  Handle<Address, &Driver::cuMemFree> handle_;
};

// An array in page-locked memory.
template <class T>
class Pinned {
 public:
  static_assert(std::is_trivially_copyable_v<T>);

  explicit Pinned(size_t count) {
    void* data = nullptr;
    driver().cuMemHostAlloc(&data, count * sizeof(T), 0);
    handle_ = Handle<void*, &Driver::cuMemFreeHost>(data);
  }

  T* data() const { return static_cast<T*>(handle_.get()); }
  T& operator[](size_t i) const { return data()[i]; }

 private:
  Handle<void*, &Driver::cuMemFreeHost> handle_;
};

}  // namespace omni::cuda
