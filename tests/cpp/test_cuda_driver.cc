// The driver by dlopen: what it says where it cannot be used, and kernels, plans and graphs on it.
#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "cuda/launch_plan.h"
#include "cuda/memory.h"
#include "fake.h"

using namespace omni;
using namespace omni::cuda;
using namespace omni::test;

namespace {

void tells_why_there_is_no_driver() {
  EXPECT_TELLS("no CUDA driver: /nowhere/libcuda.so", Driver("/nowhere/libcuda.so"));
  EXPECT_TELLS("no cuDriverGetVersion: it is not a CUDA driver", Driver("libm.so.6"));
  setenv("FAKE_CUDA_VERSION", "11040", 1);
  EXPECT_TELLS("it supports CUDA 11.4, omnirt needs 12.0 or newer", Driver(FAKE_CUDA));
  unsetenv("FAKE_CUDA_VERSION");
  setenv("FAKE_CUDA_WITHOUT", "cuGraphLaunch", 1);
  EXPECT_TELLS("the CUDA driver (13.0) has no cuGraphLaunch", Driver(FAKE_CUDA));
  unsetenv("FAKE_CUDA_WITHOUT");
  EXPECT(Driver(FAKE_CUDA).version() == 13000);
}

void knows_its_devices() {
  EXPECT(Device::count() == 1);
  const Device device(0);
  EXPECT(device.name() == "Fake GPU" && device.capability().major == 8);
  EXPECT_TELLS("device 1: the CUDA driver shows 1 devices", Device(1));
  FAKE(fakeCudaFail)("cuDevicePrimaryCtxRetain", 46, 0);
  EXPECT_TELLS("cuDevicePrimaryCtxRetain: CUDA_ERROR_DEVICE_UNAVAILABLE", Device(0));
  FAKE(fakeCudaReset)();
}

void names_the_call_and_the_error() {
  const Device device(0);
  device.use();
  EXPECT_TELLS("cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (", DeviceMemory(size_t{1} << 40));
  EXPECT_TELLS("cuModuleLoadData: CUDA_ERROR_INVALID_IMAGE", Kernel(device, "?", {"k", 1, 0, ""}));
  EXPECT_TELLS("cuModuleGetFunction: CUDA_ERROR_NOT_FOUND",
               Kernel(device, "fake cubin\nother", {"k", 1, 0, ""}));
  EXPECT_TELLS("kernel k needs 200000 bytes of shared memory, Fake GPU has",
               fake_kernel(device, "k", "", 1, 200000));
  EXPECT_THROWS(EngineError, DeviceMemory(0));
  const MemoryInfo before = device.memory();
  {
    const DeviceMemory memory(1000);
    EXPECT(device.memory().free == before.free - 1000);
  }
  EXPECT(device.memory().free == before.free);
}

struct Packed {
  Address out;
  int8_t b;
  int16_t h;
  int32_t i;
  float f;
  int64_t l;
  Address scratch[2];
};

int fill(const FakeLaunch* launch, void*) {
  const auto args = arguments_of<Packed>(*launch);
  auto* out = reinterpret_cast<int64_t*>(args.out);
  EXPECT(args.scratch[0] == 0 && args.scratch[1] == 0);
  EXPECT(launch->block[0] == 64 && launch->shared == 60000);
  for (unsigned i = 0; i < launch->grid[0] * launch->grid[1]; ++i)
    out[i] = out[i] * 10 + args.b + args.h + args.i + static_cast<int64_t>(args.f) + args.l;
  return 0;
}

std::vector<std::byte> packed(Address out, int value) {
  Arguments arguments("Pbhifl");
  arguments.add_integer(static_cast<int64_t>(out));
  arguments.add_integer(-value);
  arguments.add_integer(value);
  arguments.add_integer(-value);
  arguments.add_real(static_cast<float>(value));
  arguments.add_integer(value);
  return arguments.finish();
}

void packs_arguments() {
  EXPECT(packed(0, 1).size() == sizeof(Packed));
  EXPECT_TELLS("arguments: 1 of the 2 of 'Pi'", Arguments a("Pi"); a.add_integer(0); a.finish());
  EXPECT_TELLS("arguments: more than the 1 of 'P'", Arguments a("P"); a.add_integer(0);
               a.add_integer(0));
  EXPECT_TELLS("argument 0 of 'f': give a real", Arguments a("f"); a.add_integer(0));
  EXPECT_TELLS("argument 0 of 'i': give an integer", Arguments a("i"); a.add_real(0));
  EXPECT_TELLS("argument letter 'x'", Arguments a("x"); a.add_integer(0));
}

// Eagerly, and as a graph again and again; what was captured does not run meanwhile.
void runs_plans_and_graphs() {
  const Device device(0);
  device.use();
  FAKE(fakeCudaKernel)("fill", fill, nullptr);
  const Kernel kernel = fake_kernel(device, "fill", "Pbhifl", 2, 60000);
  const Stream stream(device, Priority::high);
  const DeviceMemory memory(6 * sizeof(int64_t));
  LaunchPlan plan("fills");
  plan.append(kernel, {3, 2}, packed(memory.address(), 1));
  plan.append(kernel, {2}, packed(memory.address(), 2));
  EXPECT(plan.size() == 2 && plan.calls()[1] == "fill" && plan.name() == "fills");

  driver().cuMemsetD8Async(memory.address(), 0, memory.bytes(), stream.get());
  const Graph graph(plan, stream);
  plan.run(stream);
  graph.launch(stream);
  const Pinned<int64_t> host(6);
  driver().cuMemcpyDtoHAsync(host.data(), memory.address(), memory.bytes(), stream.get());
  stream.synchronize();
  EXPECT(host[0] == 1212 && host[1] == 1212 && host[2] == 11 && host[5] == 11);
}

void a_failed_capture_leaves_the_stream_usable() {
  const Device device(0);
  device.use();
  const Kernel kernel = fake_kernel(device, "fill", "Pbhifl", 2, 60000);
  const Stream stream(device, Priority::low);
  LaunchPlan plan("fills");
  plan.append(kernel, {1}, packed(0, 1));
  FAKE(fakeCudaFail)("cuLaunchKernel", 719, 0);
  EXPECT_TELLS("cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED", Graph(plan, stream));
  FAKE(fakeCudaReset)();
  const Graph graph(plan, stream);
  stream.synchronize();
}

// As on a real device: the error comes with a later call, and stays.
void a_failing_kernel_breaks_the_device() {
  const Device device(0);
  device.use();
  const Kernel kernel = fake_kernel(device, "fill", "Pbhifl", 2, 60000);
  const DeviceMemory memory(sizeof(int64_t));
  const Stream stream(device, Priority::low);
  FAKE(fakeCudaFail)("fill", 700, 0);
  const auto arguments = packed(memory.address(), 1);
  launch(kernel, {1}, arguments.data(), arguments.size(), stream);
  EXPECT_TELLS("cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS", stream.synchronize());
  EXPECT_TELLS("cuMemAlloc: CUDA_ERROR_ILLEGAL_ADDRESS", DeviceMemory(8));
  FAKE(fakeCudaReset)();
  stream.synchronize();
}

}  // namespace

int main() {
  tells_why_there_is_no_driver();
  fake_library();
  knows_its_devices();
  names_the_call_and_the_error();
  packs_arguments();
  runs_plans_and_graphs();
  a_failed_capture_leaves_the_stream_usable();
  a_failing_kernel_breaks_the_device();
}
