// The seam of the wave lane: codec ids in, samples out.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace omni {

// Turns the codec ids of one session into 24 kHz samples, piece by piece. Only the wave lane calls
// it, and never for two steps at once; the destructor may run on any thread, without a lock held.
class WaveJob {
 public:
  virtual ~WaveJob() = default;

  // Whether there is something to do with this many codes known. Must be cheap.
  virtual bool wants(size_t known, bool complete) const {
    static_cast<void>(known);
    return complete;
  }

  // Works on for a while and appends what is ready to `pcm`. codes: all that are known; complete:
  // no more will come. Returns true when the speech is finished.
  virtual bool step(std::span<const int> codes, bool complete, std::vector<float>& pcm) = 0;
};

}  // namespace omni
