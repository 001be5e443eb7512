// The omni pipeline: thinker, talker and wave lane, each a thread, over any number of sessions.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/lane.h"

namespace omni {

class Scheduler {
 public:
  // The tracks must outlive the scheduler. Without a talker there is no speech and only the
  // thinker's lane. ring_rows: rows of the text ring of each slot.
  Scheduler(Track& thinker, Track* talker, int ring_rows);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Lets the lanes begin. Throws std::invalid_argument for parameters
  // that cannot work and EngineError after close().
  std::unique_ptr<Session> submit(SessionParams params);

  // Ends live sessions with an EngineError, waits for the steps at hand and stops the lanes.
  void close();

  // Thinker, talker and wave, or the thinker alone. Empty after close().
  std::vector<LaneStats> stats() const;

 private:
  void check(const SessionParams& params) const;

  const bool speaks_;
  std::shared_ptr<Monitor> monitor_;
  uint64_t submitted_ = 0;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace omni
