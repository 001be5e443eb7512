#include "cuda/graph_replay.h"

#include <algorithm>
#include <string>
#include <utility>

namespace omni::cuda {

GraphReplay::GraphReplay(const Device& device, const Stream& stream, const LaunchPlan& plan,
                         std::vector<Twin> inputs, std::vector<Twin> outputs)
    : device_(device),
      stream_(stream),
      graph_(plan, stream),
      inputs_(std::move(inputs)),
      outputs_(std::move(outputs)) {}

void GraphReplay::run(Team&) const {
  device_.use();
  for (const Twin& twin : inputs_)
    driver().cuMemcpyHtoDAsync(twin.device, twin.host, twin.bytes, stream_.get());
  graph_.launch(stream_);
  for (const Twin& twin : outputs_)
    driver().cuMemcpyDtoHAsync(twin.host, twin.device, twin.bytes, stream_.get());
  stream_.synchronize();
}

FlowReplay::FlowReplay(const GraphReplay& replay, FlowState& state, Address codes, int capacity,
                       int repeats)
    : replay_(replay),
      state_(state),
      codes_(codes),
      capacity_(capacity),
      repeats_(repeats),
      staged_(capacity) {}

void FlowReplay::run(Team& team) const {
  if (state_.codes != nullptr) {
    const int count = state_.frames / repeats_;
    if (count > capacity_)
      throw EngineError("a window of " + std::to_string(count) +
                        " codes: the device has room for " + std::to_string(capacity_));
    std::copy_n(state_.codes, count, staged_.data());
    replay_.device().use();
    driver().cuMemcpyHtoDAsync(codes_, staged_.data(), count * sizeof(int32_t),
                               replay_.stream().get());
    state_.codes = reinterpret_cast<const int32_t*>(codes_);
  }
  replay_.run(team);
}

}  // namespace omni::cuda
