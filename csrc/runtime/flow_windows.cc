#include "runtime/flow_windows.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace omni {
namespace {

void require(bool ok, const std::string& message) {
  if (!ok) throw std::invalid_argument("WaveStream: " + message);
}

}  // namespace

FlowWindows::FlowWindows(const WaveSchedule& schedule, const FlowSizes& sizes)
    : schedule_(schedule), sizes_(sizes), chunk_(schedule.first) {
  require(1 <= schedule.first && schedule.first <= schedule.chunk && schedule.lookahead >= 0 &&
              schedule.growth >= 1,
          "a schedule has 1 <= first <= chunk, lookahead >= 0 and growth >= 1");
  require(sizes.repeats >= 1 && sizes.block >= 1 && sizes.block % sizes.repeats == 0,
          "block must be a multiple of repeats");
  const int blocks = sizes.capacity / sizes.block;
  require(schedule.chunk + schedule.lookahead <= blocks,
          "chunk + lookahead is beyond the " + std::to_string(blocks) + " blocks of the buffers");
}

std::optional<FlowWindow> FlowWindows::next(size_t codes, bool complete) const {
  const int known = static_cast<int>(codes) * sizes_.repeats - start_;  // frames
  const int keep = static_cast<int>(chunk_) * sizes_.block;
  const int frames = keep + schedule_.lookahead * sizes_.block;
  if (known >= frames) return FlowWindow{start_, frames, keep, false};
  if (complete && known > 0) return FlowWindow{start_, known, known, true};
  return std::nullopt;
}

void FlowWindows::advance(const FlowWindow& window) {
  start_ += window.keep;
  chunk_ = std::min<double>(chunk_ * schedule_.growth, schedule_.chunk);
}

}  // namespace omni
