// The part of the CUDA driver's ABI that we use, declared by hand: building needs no toolkit.
// Names and values are those of NVIDIA's CUDA Driver API reference, version 12.0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace omni::cuda {

using Result = int;
using DeviceId = int;
using Address = uint64_t;  // of device memory
using Context = struct CUctx_st*;
using Module = struct CUmod_st*;
using Function = struct CUfunc_st*;
using StreamHandle = struct CUstream_st*;
using EventHandle = struct CUevent_st*;
using GraphHandle = struct CUgraph_st*;
using GraphExec = struct CUgraphExec_st*;

constexpr Result kSuccess = 0;
constexpr Result kNotFound = 500;

constexpr int kRequiredVersion = 12000;  // 1000 * major + 10 * minor

constexpr int kComputeMajor = 75, kComputeMinor = 76;  // device attributes
constexpr int kMaxSharedOptIn = 97;
constexpr int kMaxDynamicShared = 8;  // function attribute
constexpr unsigned kStreamNonBlocking = 1;
constexpr unsigned kEventBlockingSync = 1, kEventDisableTiming = 2;
constexpr int kCaptureThreadLocal = 1;

// Packed arguments, in place of an array of pointers to them.
inline void* const kParamEnd = nullptr;
inline void* const kParamPointer = reinterpret_cast<void*>(1);
inline void* const kParamSize = reinterpret_cast<void*>(2);

// Every entry point: its base name, as cuGetProcAddress wants it, and its parameters.
#define OMNI_CUDA_ENTRIES(X)                                                              \
  X(cuInit, unsigned)                                                                     \
  X(cuGetErrorName, Result, const char**)                                                 \
  X(cuGetErrorString, Result, const char**)                                               \
  X(cuDeviceGetCount, int*)                                                               \
  X(cuDeviceGet, DeviceId*, int)                                                          \
  X(cuDeviceGetName, char*, int, DeviceId)                                                \
  X(cuDeviceGetAttribute, int*, int, DeviceId)                                            \
  X(cuDevicePrimaryCtxRetain, Context*, DeviceId)                                         \
  X(cuDevicePrimaryCtxRelease, DeviceId)                                                  \
  X(cuCtxSetCurrent, Context)                                                             \
  X(cuCtxGetCurrent, Context*)                                                            \
  X(cuCtxGetStreamPriorityRange, int*, int*)                                              \
  X(cuModuleLoadData, Module*, const void*)                                               \
  X(cuModuleUnload, Module)                                                               \
  X(cuModuleGetFunction, Function*, Module, const char*)                                  \
  X(cuFuncSetAttribute, Function, int, int)                                               \
  X(cuLaunchKernel, Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, \
    unsigned, StreamHandle, void**, void**)                                               \
  X(cuMemGetInfo, size_t*, size_t*)                                                       \
  X(cuMemAlloc, Address*, size_t)                                                         \
  X(cuMemFree, Address)                                                                   \
  X(cuMemHostAlloc, void**, size_t, unsigned)                                             \
  X(cuMemFreeHost, void*)                                                                 \
  X(cuMemcpyHtoDAsync, Address, const void*, size_t, StreamHandle)                        \
  X(cuMemcpyDtoHAsync, void*, Address, size_t, StreamHandle)                              \
  X(cuMemcpyDtoDAsync, Address, Address, size_t, StreamHandle)                            \
  X(cuMemsetD8Async, Address, unsigned char, size_t, StreamHandle)                        \
  X(cuStreamCreateWithPriority, StreamHandle*, unsigned, int)                             \
  X(cuStreamDestroy, StreamHandle)                                                        \
  X(cuStreamSynchronize, StreamHandle)                                                    \
  X(cuStreamWaitEvent, StreamHandle, EventHandle, unsigned)                               \
  X(cuStreamBeginCapture, StreamHandle, int)                                              \
  X(cuStreamEndCapture, StreamHandle, GraphHandle*)                                       \
  X(cuEventCreate, EventHandle*, unsigned)                                                \
  X(cuEventDestroy, EventHandle)                                                          \
  X(cuEventRecord, EventHandle, StreamHandle)                                             \
  X(cuEventSynchronize, EventHandle)                                                      \
  X(cuGraphInstantiate, GraphExec*, GraphHandle, unsigned long long)                      \
  X(cuGraphLaunch, GraphExec, StreamHandle)                                               \
  X(cuGraphExecDestroy, GraphExec)                                                        \
  X(cuGraphDestroy, GraphHandle)

}  // namespace omni::cuda
