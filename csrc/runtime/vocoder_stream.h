// Vocodes final mel frames window by window, to the samples that one shot would give.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/parallel.h"
#include "runtime/plan.h"

namespace omni {

// A signal inside the vocoder: rows a mel frame, and the rows that emitted samples depend on beside
// their own. The first level is the mel, the last one the samples.
struct VocoderLevel {
  int scale;
  int left;
  int right;
};

// A recorded plan and the memory it works on, shared by all sessions of the lane.
struct VocoderTrack {
  const Replay* plan;
  int32_t* spans;  // [2 * levels, 2]: first row and rows, as read and as written
  float* mel;      // [capacity, channels]
  const float* samples;
  int capacity;  // mel frames
  int channels;
  std::vector<VocoderLevel> levels;
  int held_first;  // frames held back right of the first packet, in place of the context's
};

class VocoderStream {
 public:
  // The track must outlive it. Throws std::invalid_argument for levels beyond the capacity.
  explicit VocoderStream(const VocoderTrack& track);

  // mel: the next final frames, [n, channels].
  void push(std::span<const float> mel);
  void end() { limit_ = frames_, ended_ = true; }  // no more will come

  bool ready() const { return emitted_ < limit_; }
  bool finished() const { return ended_ && !ready(); }

  // One window. While samples may still change with frames to come, they are held back.
  std::vector<float> next(Team& team);

 private:
  int left() const { return track_.levels.front().left; }
  int right() const { return track_.levels.front().right; }
  void write_spans(int m0, int m1, int e0, int e1);

  const VocoderTrack& track_;
  std::vector<float> mel_;  // of frames [first_, frames_)
  int first_ = 0;
  int frames_ = 0;   // final so far
  int emitted_ = 0;  // of them, vocoded
  int limit_ = 0;    // of them, that may be vocoded
  bool ended_ = false;
};

}  // namespace omni
