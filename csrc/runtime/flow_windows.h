// Which frames are solved together, and when. The rule knows codes only, never the time.
#pragma once

#include <cstddef>
#include <optional>

namespace omni {

// In blocks of the flow's attention. Chunks grow from `first` by `growth` up to `chunk`.
struct WaveSchedule {
  int first;
  int chunk;
  int lookahead;  // provisional blocks to the right of a chunk
  double growth;
};

// In mel frames.
struct FlowSizes {
  int block;
  int repeats;   // frames a code; divides block
  int mel;       // channels
  int capacity;  // the longest window
};

// One solve: of frames [start, start + frames), of which the first `keep` are final.
struct FlowWindow {
  int start;
  int frames;
  int keep;
  bool last;  // it reaches the end of the speech, and knows
};

class FlowWindows {
 public:
  // Throws std::invalid_argument for a schedule that cannot work or whose windows are too long.
  FlowWindows(const WaveSchedule& schedule, const FlowSizes& sizes);

  // The next window, if these codes are enough for it.
  std::optional<FlowWindow> next(size_t codes, bool complete) const;
  void advance(const FlowWindow& window);

  int frames() const { return start_; }  // final ones so far

 private:
  WaveSchedule schedule_;
  FlowSizes sizes_;
  int start_ = 0;
  double chunk_;  // blocks of the next window, before rounding down
};

}  // namespace omni
