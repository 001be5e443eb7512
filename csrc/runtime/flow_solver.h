// Solves the flow's differential equation for one window, an evaluation at a time.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/flow_state.h"
#include "base/parallel.h"
#include "runtime/flow_windows.h"
#include "runtime/plan.h"

namespace omni {

// Recorded plans and the memory they work on, shared by all sessions of the lane.
struct FlowTrack {
  const Replay* noise;     // state -> y, which depends on the seed and the frames' numbers only
  const Replay* evaluate;  // state, y -> velocity
  FlowState* state;
  float* y;               // [capacity, mel]
  const float* velocity;  // [capacity * rows, mel]: frame by frame, conditional row first
  int rows;               // 2, or 1 without guidance
};

constexpr int kStages = 4;

// One evaluation of a solver, written out: at y + sum inputs[j] k_j. Its velocity is the next k of
// its step; after the last one of a step, y += sum outputs[j] k_j.
struct Evaluation {
  std::array<float, kStages> inputs;
  bool last;
  std::array<float, kStages> outputs;
};

// What a session brings.
struct FlowRequest {
  std::vector<Evaluation> evaluations;
  float guidance;
  uint64_t seed;
  std::span<const float> noise;  // [frames, mel] in place of the seed's, or empty
  const float* table;
  float* cache;
  const float* voice;
};

class FlowSolver {
 public:
  // The track must outlive it. Throws std::invalid_argument for evaluations that make no steps.
  FlowSolver(const FlowTrack& track, const FlowSizes& sizes, FlowRequest request);

  // Draws the window's noise. Throws InputError if the given noise is too short.
  void begin(const FlowWindow& window, Team& team);
  bool solving() const { return evaluation_ < request_.evaluations.size(); }
  const FlowWindow& window() const { return window_; }

  // One evaluation. codes: of the whole reply.
  void evaluate(std::span<const int> codes, Team& team);

  // When none is left: the mel of the final frames, [keep, mel].
  std::span<const float> mel() const;

 private:
  size_t numbers() const { return static_cast<size_t>(window_.frames) * sizes_.mel; }
  void set_state(const int* codes);
  void add(std::span<float> y, const std::array<float, kStages>& factors) const;
  void keep_velocity();

  const FlowTrack& track_;
  FlowSizes sizes_;
  FlowRequest request_;
  FlowWindow window_{};
  size_t evaluation_;  // the next one
  int stage_ = 0;      // of its step
  std::vector<float> y_;
  std::array<std::vector<float>, kStages> k_;
};

}  // namespace omni
