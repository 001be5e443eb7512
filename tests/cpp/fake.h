// The fake driver as tests use it: one process, one device, kernels that are host functions.
#pragma once

#include <dlfcn.h>

#include <cstring>
#include <string>
#include <vector>

#include "check.h"
#include "cuda/device.h"
#include "cuda/kernel.h"
#include "fake_cuda/control.h"

namespace omni::test {

inline void* fake_library() {
  static void* library = [] {
    cuda::set_library(FAKE_CUDA);
    cuda::driver();
    return dlopen(FAKE_CUDA, RTLD_NOW | RTLD_NOLOAD);
  }();
  EXPECT(library != nullptr);
  return library;
}

template <class F>
F* fake_call(F*, const char* name) {
  void* found = dlsym(fake_library(), name);
  EXPECT(found != nullptr);
  return reinterpret_cast<F*>(found);
}

#define FAKE(name) omni::test::fake_call(static_cast<decltype(&::name)>(nullptr), #name)

inline std::vector<FakeEntry> fake_log() {
  const auto read = FAKE(fakeCudaLog);
  std::vector<FakeEntry> entries(read(nullptr, 0));
  read(entries.data(), entries.size());
  return entries;
}

// The arguments of a launch as the struct that they were packed as.
template <class T>
T arguments_of(const FakeLaunch& launch) {
  T value;
  EXPECT(launch.bytes == sizeof value);
  std::memcpy(&value, launch.arguments, sizeof value);
  return value;
}

inline cuda::Kernel fake_kernel(const cuda::Device& device, const std::string& name,
                                const std::string& letters, int warps = 1, int shared = 0) {
  return {device, ("fake cubin\n" + name).c_str(), {name, warps, shared, letters}};
}

template <class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

#define EXPECT_TELLS(text, statement)                                                 \
  do {                                                                                \
    const std::string message = omni::test::message_of([&] { statement; });           \
    if (message.find(text) == message.npos) {                                         \
      std::fprintf(stderr, "%s:%d: \"%s\" from %s, not \"%s\"\n", __FILE__, __LINE__, \
                   message.c_str(), #statement, text);                                \
      std::_Exit(1);                                                                  \
    }                                                                                 \
  } while (false)

}  // namespace omni::test
