// A recorded step of the wave lane: its host memory goes to the device, a graph runs, results
// return.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/flow_state.h"
#include "cuda/launch_plan.h"
#include "cuda/memory.h"
#include "runtime/plan.h"

namespace omni::cuda {

// Host memory, best page-locked, and its twin on the device.
struct Twin {
  void* host;
  Address device;
  size_t bytes;
};

class GraphReplay : public Replay {
 public:
  // With the device in use. Device, stream and memory must outlive it.
  GraphReplay(const Device& device, const Stream& stream, const LaunchPlan& plan,
              std::vector<Twin> inputs, std::vector<Twin> outputs);

  // Waits until the outputs are there.
  void run(Team& team) const override;

  const Device& device() const { return device_; }
  const Stream& stream() const { return stream_; }

 private:
  const Device& device_;
  const Stream& stream_;
  Graph graph_;
  std::vector<Twin> inputs_, outputs_;
};

// One that reads a FlowState: the codes that it points to go to the device as well.
class FlowReplay : public Replay {
 public:
  // state: the host's, an input of `replay`. codes: on the device, for `capacity` of them; a code
  // stands for `repeats` frames.
  FlowReplay(const GraphReplay& replay, FlowState& state, Address codes, int capacity, int repeats);

  // Throws EngineError for a window of more codes than there is room for.
  void run(Team& team) const override;

 private:
  const GraphReplay& replay_;
  FlowState& state_;
  Address codes_;
  int capacity_;
  int repeats_;
  Pinned<int32_t> staged_;
};

}  // namespace omni::cuda
