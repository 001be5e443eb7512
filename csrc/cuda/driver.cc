#include "cuda/driver.h"

#include <dlfcn.h>

#include <mutex>

namespace omni::cuda {
namespace {

// Of cuGetProcAddress_v2: name, function, CUDA version, flags, status.
using FindEntry = Result (*)(const char*, void**, int, uint64_t, int*);

struct Library {
  std::mutex mutex;
  std::string path = "libcuda.so.1";
};

Library& library() {
  static Library library;
  return library;
}

std::string dotted(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

void* open(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr)
    throw Unavailable("no CUDA driver: " + std::string(dlerror()) +
                      "; install NVIDIA's driver, or run on the CPU");
  return handle;
}

template <class F>
F find(void* handle, const std::string& path, const char* name) {
  void* found = dlsym(handle, name);
  if (found == nullptr)
    throw Unavailable(path + " has no " + name + ": it is not a CUDA driver that we can use");
  return reinterpret_cast<F>(found);
}

// Asked for by name: older drivers lack the call that finds the others.
int version_of(void* handle, const std::string& path) {
  int version = 0;
  const auto get = find<Result (*)(int*)>(handle, path, "cuDriverGetVersion");
  if (const Result result = get(&version); result != kSuccess)
    throw Unavailable("cuDriverGetVersion failed with error " + std::to_string(result) +
                      ": reinstall NVIDIA's driver, or run on the CPU");
  if (version < kRequiredVersion)
    throw Unavailable("the CUDA driver is too old: it supports CUDA " + dotted(version) +
                      ", omnirt needs " + dotted(kRequiredVersion) +
                      " or newer; update NVIDIA's driver, or run on the CPU");
  return version;
}

}  // namespace

Driver::Driver(const std::string& path) {
  void* handle = open(path);
  version_ = version_of(handle, path);
  const auto get = find<FindEntry>(handle, path, "cuGetProcAddress_v2");
  const auto resolve = [&](auto& entry) {
    int status = 0;
    const Result result = get(entry.name(), entry.address(), kRequiredVersion, 0, &status);
    if (result != kSuccess || *entry.address() == nullptr)
      throw Unavailable("the CUDA driver (" + dotted(version_) + ") has no " + entry.name() +
                        ": update NVIDIA's driver, or run on the CPU");
  };
#define OMNI_CUDA_RESOLVE(name, ...) resolve(name);
  OMNI_CUDA_ENTRIES(OMNI_CUDA_RESOLVE)
#undef OMNI_CUDA_RESOLVE
}

void set_library(const std::string& path) {
  std::lock_guard lock(library().mutex);
  library().path = path;
}

namespace {

// Kept although the device may be of no use: the names of errors come from it.
const Driver& loaded() {
  static const Driver& driver = [&]() -> const Driver& {
    std::lock_guard lock(library().mutex);
    return *new Driver(library().path);
  }();
  return driver;
}

std::string describe(const char* call, Result result) {
  const char *name = nullptr, *words = nullptr;
  loaded().cuGetErrorName.quietly(result, &name);
  loaded().cuGetErrorString.quietly(result, &words);
  std::string text = std::string(call) + ": " + (name ? name : std::to_string(result));
  if (words) text += std::string(" (") + words + ")";
  return text;
}

}  // namespace

Error::Error(const char* call, Result result)
    : EngineError(describe(call, result)), result(result) {}

const Driver& driver() {
  const Driver& driver = loaded();
  static const bool ready = (driver.cuInit(0), true);
  static_cast<void>(ready);
  return driver;
}

}  // namespace omni::cuda
