// Our declaration of the driver's ABI against NVIDIA's headers, where a machine has them.
#include <cuda.h>

#include <type_traits>

#include "cuda/abi.h"

namespace {

using namespace omni::cuda;

// Calls agree if their parameters have the same sizes, and are pointers or not.
template <class Result, class... Theirs, class... Ours>
constexpr bool same(Result (*)(Theirs...), void (*)(Ours...)) {
  if constexpr (sizeof...(Theirs) == sizeof...(Ours)) {
    return (
        (sizeof(Theirs) == sizeof(Ours) && std::is_pointer_v<Theirs> == std::is_pointer_v<Ours>) &&
        ...);
  }
  return false;
}

template <class... Args>
using Call = void (*)(Args...);

#define CHECK(name, ...) \
  static_assert(same(static_cast<decltype(&::name)>(nullptr), Call<__VA_ARGS__>{}), #name);
OMNI_CUDA_ENTRIES(CHECK)

static_assert(CUDA_ERROR_NOT_FOUND == kNotFound);
static_assert(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR == kComputeMajor);
static_assert(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR == kComputeMinor);
static_assert(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN == kMaxSharedOptIn);
static_assert(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES == kMaxDynamicShared);
static_assert(CU_STREAM_NON_BLOCKING == kStreamNonBlocking);
static_assert(CU_EVENT_BLOCKING_SYNC == kEventBlockingSync);
static_assert(CU_EVENT_DISABLE_TIMING == kEventDisableTiming);
static_assert(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL == kCaptureThreadLocal);
static_assert(CUDA_ERROR_NO_DEVICE == 100);

}  // namespace

int main() {
  return kParamEnd == CU_LAUNCH_PARAM_END && kParamPointer == CU_LAUNCH_PARAM_BUFFER_POINTER &&
                 kParamSize == CU_LAUNCH_PARAM_BUFFER_SIZE
             ? 0
             : 1;
}
