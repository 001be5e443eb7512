// A decoder on its own stream: CUDA graphs of a recorded step, started before the last one is done.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/launch_plan.h"
#include "cuda/memory.h"
#include "cuda/seating.h"
#include "cuda/stream.h"
#include "runtime/track.h"

namespace omni::cuda {

// A step, recorded for this many rows.
struct Bucket {
  int rows;
  const LaunchPlan* plan;
};

// The device memory of a decoder's states, StepState each.
struct StateRows {
  Address batch;  // [rows of the largest bucket]: what the plans were recorded on
  Address slots;  // [slots]: where the states of sessions rest while they are not in the batch
  Address blank;  // [1]: of a sequence that is nobody's, for rows of a bucket that stay empty
};

// A state lives on the device from its first step on. What a step leaves in the batch comes back in
// pinned memory; the host looks at it when it wants to, and is not in the way of the next step.
class StreamTrack : public Track {
 public:
  // With the device in use. buckets: ascending. ahead: steps under way. upstream: the track that
  // Seat::after speaks of, or nullptr. Device, plans, memory, stream and upstream must outlive it.
  StreamTrack(const Device& device, const Stream& stream, const std::vector<Bucket>& buckets,
              const StateRows& states, int ahead, const StreamTrack* upstream);
  ~StreamTrack() override;

  int width() const override { return graphs_.back().rows; }
  int ahead() const override { return static_cast<int>(done_.size()); }

  // After an error nobody knows whose state is where: every later step throws it again.
  uint64_t start(std::span<const Seat> seats, Team& team) override;
  void finish() override;

 private:
  struct StepGraph {
    int rows;
    Graph graph;
  };

  void launch(std::span<const Seat> seats, size_t place);
  void wait_upstream(std::span<const Seat> seats) const;
  void sit_down(std::span<const Seat> seats, int bucket, StepState* staged);
  void refresh(const Seat& seat, StepState* staged) const;
  const StepGraph& graph_for(size_t sessions) const;
  Address row(int index) const { return states_.batch + index * sizeof(StepState); }
  Address slot(int index) const { return states_.slots + index * sizeof(StepState); }
  // Has `stream` wait for a step of this track. Any thread; the step was started.
  void order_after(uint64_t step, const Stream& stream) const;

  struct UnderWay {
    std::vector<StepState*> states;
    std::vector<int> rows;  // of each in the batch
  };

  const Device& device_;
  const Stream& stream_;
  const StateRows states_;
  const StreamTrack* upstream_;
  std::vector<StepGraph> graphs_;
  Seating seating_;
  Pinned<StepState> given_;     // [ahead, width]: on their way to the device
  Pinned<StepState> taken_;     // [ahead, width]: what each step left in the batch
  std::vector<Event> done_;     // of step n: done_[n % ahead]
  std::deque<UnderWay> steps_;  // oldest first
  uint64_t started_ = 0;        // steps
  std::exception_ptr broken_;
};

}  // namespace omni::cuda
