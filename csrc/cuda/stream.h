// Streams, and the events that order them.
#pragma once

#include "cuda/device.h"
#include "cuda/handle.h"

namespace omni::cuda {

class Stream;

// The point that a stream had reached when it was recorded.
class Event {
 public:
  Event();
  void record(const Stream& stream);
  void wait() const;  // on the host
  EventHandle get() const { return handle_.get(); }

 private:
  Handle<EventHandle, &Driver::cuEventDestroy> handle_;
};

// Which lane's kernels go first where several are ready.
enum class Priority { low, middle, high };

class Stream {
 public:
  // The device must outlive it.
  Stream(const Device& device, Priority priority);
  // What comes next on this stream waits for the event; one that was never recorded is over.
  void wait(const Event& event) const;
  void synchronize() const;  // on any thread
  StreamHandle get() const { return handle_.get(); }

 private:
  const Device* device_;
  Handle<StreamHandle, &Driver::cuStreamDestroy> handle_;
};

}  // namespace omni::cuda
