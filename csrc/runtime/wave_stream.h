// Speech that starts early: solves the flow window by window and vocodes what is final.
#pragma once

#include "runtime/channel.h"
#include "runtime/flow_solver.h"
#include "runtime/flow_windows.h"
#include "runtime/vocoder_stream.h"
#include "runtime/wave.h"

namespace omni {

// What it keeps of a reply does not grow with it: the window being solved and the mel frames that
// the vocoder still needs. The tracks, shared by all streams of one lane, must outlive it.
class WaveStream : public WaveJob {
 public:
  WaveStream(const FlowTrack& flow, const FlowSizes& sizes, const VocoderTrack& vocoder,
             const WaveSchedule& schedule, FlowRequest request);

  bool wants(size_t known, bool complete) const override;
  WavePiece step(std::span<const int> codes, bool complete, Team& team) override;

 private:
  void begin(const FlowWindow& window, size_t codes, Team& team);
  void evaluate(std::span<const int> codes, Team& team);
  WavePiece vocode(Team& team);

  FlowSizes sizes_;
  FlowWindows windows_;
  FlowSolver solver_;
  VocoderStream vocoder_;
  ChunkWork work_;  // for the next piece
};

}  // namespace omni
