#include "cuda/stream.h"

namespace omni::cuda {

// Waiting sleeps: a lane runs ahead, so it can afford the time to wake up, and edge boxes have few
// cores to spin on.
Event::Event() {
  EventHandle event = nullptr;
  driver().cuEventCreate(&event, kEventBlockingSync | kEventDisableTiming);
  handle_ = Handle<EventHandle, &Driver::cuEventDestroy>(event);
}

void Event::record(const Stream& stream) { driver().cuEventRecord(get(), stream.get()); }

void Event::wait() const { driver().cuEventSynchronize(get()); }

// Smaller numbers go first; devices differ in how many there are.
Stream::Stream(const Device& device, Priority priority) : device_(&device) {
  device.use();
  int least = 0, greatest = 0;
  driver().cuCtxGetStreamPriorityRange(&least, &greatest);
  const int number = priority == Priority::low    ? least
                     : priority == Priority::high ? greatest
                                                  : least + (greatest - least) / 2;
  StreamHandle stream = nullptr;
  driver().cuStreamCreateWithPriority(&stream, kStreamNonBlocking, number);
  handle_ = Handle<StreamHandle, &Driver::cuStreamDestroy>(stream);
}

void Stream::wait(const Event& event) const { driver().cuStreamWaitEvent(get(), event.get(), 0); }

void Stream::synchronize() const {
  device_->use();
  driver().cuStreamSynchronize(get());
}

}  // namespace omni::cuda
