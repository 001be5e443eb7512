// The seam to the device that a decoder runs on: a recorded step, repeated for some sessions.
#pragma once

#include <cstdint>
#include <span>

#include "base/parallel.h"
#include "base/step_state.h"
#include "runtime/plan.h"

namespace omni {

// What the host changed in a state since the step before.
enum class Change { none, text_rows, all };

// One session's part of a step.
struct Seat {
  StepState* state;
  Change change;
  uint64_t after = 0;  // the step of the upstream track that writes what this one reads; 0: none
};

// Only the lane's thread calls it. Steps are numbered from 1.
class Track {
 public:
  virtual ~Track() = default;
  virtual int width() const { return 1; }  // most sessions of a step
  virtual int ahead() const { return 1; }  // most steps that may be under way

  // Starts a step. The states must stay in place until it is finished.
  virtual uint64_t start(std::span<const Seat> seats, Team& team) = 0;

  // Waits for the oldest step that is under way: each of its states has the sampled token.
  virtual void finish() = 0;
};

// On the host: a plan and the row that it was recorded on. One plan serves all sessions, so a
// session's state moves in and out.
class PlanTrack : public Track {
 public:
  // Both must outlive it.
  PlanTrack(const Plan& plan, StepState& row) : plan_(plan), row_(row) {}

  uint64_t start(std::span<const Seat> seats, Team& team) override {
    StepState& state = *seats.front().state;
    row_ = state;
    plan_.run(team);
    state = row_;
    return ++steps_;
  }

  void finish() override {}

 private:
  const Plan& plan_;
  StepState& row_;
  uint64_t steps_ = 0;
};

}  // namespace omni
