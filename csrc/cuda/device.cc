#include "cuda/device.h"

namespace omni::cuda {
namespace {

constexpr Result kNoDevice = 100;  // CUDA_ERROR_NO_DEVICE
constexpr int kNameBytes = 256;

}  // namespace

int Device::count() {
  int count = 0;
  try {
    driver().cuDeviceGetCount(&count);
  } catch (const Error& error) {
    if (error.result != kNoDevice) throw;
  }
  return count;
}

Device::Device(int ordinal) {
  const int devices = count();
  if (ordinal < 0 || ordinal >= devices)
    throw Unavailable("device " + std::to_string(ordinal) + ": the CUDA driver shows " +
                      std::to_string(devices) +
                      " devices; see nvidia-smi and CUDA_VISIBLE_DEVICES, or run on the CPU");
  driver().cuDeviceGet(&id_, ordinal);
  char name[kNameBytes] = {};
  driver().cuDeviceGetName(name, kNameBytes, id_);
  name_ = name;
  capability_ = {attribute(kComputeMajor), attribute(kComputeMinor)};
  driver().cuDevicePrimaryCtxRetain(&context_, id_);
}

Device::~Device() { driver().cuDevicePrimaryCtxRelease.quietly(id_); }

void Device::use() const { driver().cuCtxSetCurrent(context_); }

int Device::attribute(int which) const {
  int value = 0;
  driver().cuDeviceGetAttribute(&value, which, id_);
  return value;
}

MemoryInfo Device::memory() const {
  use();
  MemoryInfo info{};
  driver().cuMemGetInfo(&info.free, &info.total);
  return info;
}

}  // namespace omni::cuda
