// The seam of the wave lane: codec ids in, samples out.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/parallel.h"

namespace omni {

// What a piece of speech cost.
struct ChunkWork {
  int codes = 0;      // known when the solve of its last frame began
  int lookahead = 0;  // blocks to the right of its frames that were solved with them, then dropped
  double solve = 0;   // seconds in the flow's evaluations
  double vocode = 0;  // seconds in the vocoder
};

// What one step brought: no samples if it only worked on.
struct WavePiece {
  std::vector<float> samples;
  ChunkWork work;
  bool finished = false;  // the speech has ended
};

// Turns the codec ids of one session into samples, piece by piece. Only the wave lane calls it, and
// never for two steps at once; the destructor may run on any thread, without a lock held.
class WaveJob {
 public:
  virtual ~WaveJob() = default;

  // Whether there is something to do with this many codes known. Must be cheap.
  virtual bool wants(size_t known, bool complete) const = 0;

  // One evaluation of the flow or one vocoder window, if wants(). codes: all that are known;
  // complete: no more will come.
  virtual WavePiece step(std::span<const int> codes, bool complete, Team& team) = 0;
};

}  // namespace omni
