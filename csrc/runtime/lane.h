// One thread that does one stage's steps for all sessions, in turns.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <thread>

#include "runtime/monitor.h"
#include "runtime/stage.h"

namespace omni {

class Lane {
 public:
  // Starts to serve. Monitor::lanes must list it before a session can wake it.
  Lane(Monitor& monitor, std::unique_ptr<Stage> stage);

  // Waits for the end of the step at hand, once Monitor::stopping is set. Lanes wake each other:
  // all must be joined before one is destroyed.
  void join();
  void wake() { work_.notify_one(); }

  // With Monitor::mutex held. False while the lane is in a step: it will look by itself.
  bool awaits(const SessionState& session) const;
  const LaneStats& stats() const { return stats_; }

 private:
  void serve();
  std::shared_ptr<SessionState> next();
  std::shared_ptr<SessionState> pick() const;
  bool ready(const SessionState& session) const;
  void step(SessionState& session, Team& team);
  void count(Clock::time_point begin, Clock::time_point end);

  Monitor& monitor_;
  std::unique_ptr<Stage> stage_;
  std::condition_variable work_;
  LaneStats stats_;
  uint64_t last_id_ = 0;  // the session that had the last turn
  bool idle_ = false;     // waits for work
  bool waited_ = true;    // for work, before the step at hand
  Clock::time_point last_end_;
  std::thread thread_;
};

}  // namespace omni
