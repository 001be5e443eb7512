#include "cuda/kernel.h"

#include <stdexcept>
#include <utility>

namespace omni::cuda {
namespace {

constexpr int kWarpThreads = 32;
constexpr int kSharedWithoutAsking = 48 * 1024;  // bytes

size_t size_of(char letter) {
  switch (letter) {
    case 'P':
    case 'l':
      return 8;
    case 'i':
    case 'f':
      return 4;
    case 'h':
      return 2;
    case 'b':
      return 1;
  }
  throw std::invalid_argument(std::string("argument letter '") + letter +
                              "': use P, l, i, f, h, b");
}

}  // namespace

Kernel::Kernel(const Device& device, const void* image, KernelInfo info)
    : device_(device), info_(std::move(info)) {
  device.use();
  Module module = nullptr;
  driver().cuModuleLoadData(&module, image);
  module_ = Handle<Module, &Driver::cuModuleUnload>(module);
  driver().cuModuleGetFunction(&function_, module, info_.name.c_str());
  if (info_.shared <= kSharedWithoutAsking) return;
  if (const int most = device.attribute(kMaxSharedOptIn); info_.shared > most)
    throw EngineError("kernel " + info_.name + " needs " + std::to_string(info_.shared) +
                      " bytes of shared memory, " + device.name() + " has " + std::to_string(most) +
                      ": compile it with smaller blocks");
  driver().cuFuncSetAttribute(function_, kMaxDynamicShared, info_.shared);
}

unsigned Kernel::threads() const { return static_cast<unsigned>(info_.warps * kWarpThreads); }

char Arguments::next(const char* given) {
  if (given_ == letters_.size())
    throw std::invalid_argument("arguments: more than the " + std::to_string(letters_.size()) +
                                " of '" + letters_ + "'");
  const char letter = letters_[given_++];
  if ((letter == 'f') != (*given == 'f'))
    throw std::invalid_argument("argument " + std::to_string(given_ - 1) + " of '" + letters_ +
                                "': " + (letter == 'f' ? "give a real" : "give an integer"));
  return letter;
}

void Arguments::put(const void* value, size_t size) {
  bytes_.resize((bytes_.size() + size - 1) / size * size);
  const auto* first = static_cast<const std::byte*>(value);
  bytes_.insert(bytes_.end(), first, first + size);
}

// The low bytes, which come first: every machine with such a device is little-endian.
void Arguments::add_integer(int64_t value) { put(&value, size_of(next("i"))); }

void Arguments::add_real(float value) {
  next("f");
  put(&value, sizeof value);
}

const std::vector<std::byte>& Arguments::finish() {
  if (given_ != letters_.size())
    throw std::invalid_argument("arguments: " + std::to_string(given_) + " of the " +
                                std::to_string(letters_.size()) + " of '" + letters_ + "'");
  constexpr Address kNoScratch = 0;
  put(&kNoScratch, sizeof kNoScratch);
  put(&kNoScratch, sizeof kNoScratch);
  return bytes_;
}

void launch(const Kernel& kernel, Grid grid, const void* arguments, size_t bytes,
            const Stream& stream) {
  void* extra[] = {kParamPointer, const_cast<void*>(arguments), kParamSize, &bytes, kParamEnd};
  driver().cuLaunchKernel(kernel.function(), grid.x, grid.y, grid.z, kernel.threads(), 1, 1,
                          static_cast<unsigned>(kernel.info().shared), stream.get(), nullptr,
                          extra);
}

}  // namespace omni::cuda
