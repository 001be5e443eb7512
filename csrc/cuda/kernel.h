// Compiled kernels and their launches.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cuda/device.h"
#include "cuda/handle.h"
#include "cuda/stream.h"

namespace omni::cuda {

// What a compiler says of a kernel, Triton in its metadata.
struct KernelInfo {
  std::string name;  // mangled, as in the image
  int warps;
  int shared;        // bytes of dynamic shared memory
  std::string args;  // a letter for each argument, see Arguments
};

struct Grid {
  unsigned x, y = 1, z = 1;
};

class Kernel {
 public:
  // image: a cubin or PTX. Throws Error if the device cannot load it, or EngineError if the kernel
  // needs more shared memory than the device has. The device must outlive it.
  Kernel(const Device& device, const void* image, KernelInfo info);

  const Device& device() const { return device_; }
  const KernelInfo& info() const { return info_; }
  Function function() const { return function_; }
  unsigned threads() const;  // of a block

 private:
  const Device& device_;
  KernelInfo info_;
  Handle<Module, &Driver::cuModuleUnload> module_;
  Function function_ = nullptr;
};

// One launch's arguments, packed as a C struct of them would be. Letters of a signature: 'P' an
// address, 'l' int64, 'i' int32, 'f' float32, 'h' 16 bits, 'b' 8 bits.
//
// Triton's kernels (3.4 and later) take two addresses more, of scratch memory in global memory: one
// for themselves, one for its profiler. Both are null, as for every kernel that asks for none.
class Arguments {
 public:
  explicit Arguments(std::string_view letters) : letters_(letters) {}

  void add_integer(int64_t value);  // for all but 'f'
  void add_real(float value);       // for 'f'

  // The packed bytes. Throws std::invalid_argument unless every letter has its value.
  const std::vector<std::byte>& finish();

 private:
  char next(const char* given);
  void put(const void* value, size_t size);

  std::string letters_;
  size_t given_ = 0;
  std::vector<std::byte> bytes_;
};

// Starts it, now or as a node of the graph that the stream captures. arguments: of Arguments.
void launch(const Kernel& kernel, Grid grid, const void* arguments, size_t bytes,
            const Stream& stream);

}  // namespace omni::cuda
