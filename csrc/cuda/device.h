// One GPU, by its primary context: the one that torch uses too.
#pragma once

#include <cstddef>
#include <string>

#include "cuda/driver.h"

namespace omni::cuda {

struct Capability {
  int major;
  int minor;
};

struct MemoryInfo {
  size_t free;  // bytes
  size_t total;
};

class Device {
 public:
  // How many there are; 0 without any that can be used. Throws Unavailable without a driver.
  static int count();

  // Throws Unavailable if there is no such device, Error if it cannot be used.
  explicit Device(int ordinal);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Makes it the calling thread's. Every thread needs it before its first other call.
  void use() const;

  const std::string& name() const { return name_; }
  Capability capability() const { return capability_; }
  int attribute(int which) const;
  MemoryInfo memory() const;

 private:
  DeviceId id_ = 0;
  std::string name_;
  Capability capability_{};
  Context context_ = nullptr;
};

}  // namespace omni::cuda
