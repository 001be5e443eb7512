// Streams, and the events that order them.
#pragma once

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
  explicit Stream(Priority priority);
  // What comes next on this stream waits for the event; one that was never recorded is over.
  void wait(const Event& event) const;
  void synchronize() const;
  StreamHandle get() const { return handle_.get(); }

 private:
  Handle<StreamHandle, &Driver::cuStreamDestroy> handle_;
};

}  // namespace omni::cuda
