// A wave job on its way from Python to a scheduler.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <stdexcept>
#include <utility>

#include "runtime/wave.h"

namespace omni::bindings {

// Serves one reply: empty once a session has taken the job.
class WaveHandle {
 public:
  explicit WaveHandle(std::unique_ptr<WaveJob> job) : job_(std::move(job)) {}

  WaveJob& job() const {
    if (!job_) throw std::invalid_argument("wave: a stream serves one reply, make a new one");
    return *job_;
  }

  std::unique_ptr<WaveJob> take() {
    job();
    return std::move(job_);
  }

 private:
  std::unique_ptr<WaveJob> job_;
};

}  // namespace omni::bindings
