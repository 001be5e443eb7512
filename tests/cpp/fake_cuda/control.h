// What tests may ask of the fake driver besides CUDA's own calls.
//
// A stream is a host thread that does its work in order; device memory is host memory; a kernel is
// a function registered by name, and a "cubin" the line "fake cubin" followed by lines of names.
//
// Read once, at cuInit: FAKE_CUDA_DEVICES (1), FAKE_CUDA_MEMORY (bytes, 2^33), FAKE_CUDA_FAIL
// (where=result, as fakeCudaFail with after = 0). At any time: FAKE_CUDA_VERSION (13000),
// FAKE_CUDA_WITHOUT (an entry point that is missing).
#pragma once

#include <cstddef>

struct FakeLaunch {
  const char* kernel;
  unsigned grid[3], block[3];
  unsigned shared;
  const std::byte* arguments;  // as packed by the caller
  size_t bytes;
};

// A kernel's whole grid, on its stream's thread. Returns a CUDA error, or 0.
using FakeKernel = int (*)(const FakeLaunch* launch, void* context);

enum class FakeWork { kernel, copy, set, record, wait };

// One piece of work that a stream finished.
struct FakeEntry {
  FakeWork work;
  int stream;          // counted from 0 as they were made
  int event;           // of record and wait, counted as they were made
  unsigned ticket;     // of record and wait: which record of this event, counted from 1
  const char* kernel;  // its name
};

extern "C" {
// name "*" stands for every kernel without a function of its own.
void fakeCudaKernel(const char* name, FakeKernel function, void* context);
// Every piece of work begins with a random pause of up to `most` microseconds.
void fakeCudaDelays(unsigned seed, unsigned most);
// From now on `where`, an entry point or a kernel, works `after` times and then fails with
// `result`. A kernel that fails breaks the device, as on a real one: every later call returns its
// error.
void fakeCudaFail(const char* where, int result, int after);
// Streams do not wait for events: what a scheduler that forgot to ask would get.
void fakeCudaIgnoreWaits(bool ignore);
// Mends a broken device, forgets failures, delays and the log.
void fakeCudaReset();
// Copies the oldest entries of the log; returns how many there are.
size_t fakeCudaLog(FakeEntry* entries, size_t most);
}
