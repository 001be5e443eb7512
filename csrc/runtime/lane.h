// One thread that does one stage's steps for all sessions, in turns.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <thread>

#include "runtime/monitor.h"
#include "runtime/stage.h"

namespace omni {

class Lane {
 public:
  // Starts to serve. Monitor::lanes must list it before a session can wake it.
  Lane(Monitor& monitor, std::unique_ptr<Stage> stage);

  // Waits for the end of the steps under way, once Monitor::stopping is set. Lanes wake each other:
  // all must be joined before one is destroyed.
  void join();
  void wake() { work_.notify_one(); }

  // With Monitor::mutex held. False while the lane is in a step: it will look by itself.
  bool awaits(const SessionState& session) const;
  const LaneStats& stats() const { return stats_; }

 private:
  // A step under way.
  struct Step {
    Batch batch;
    bool waited;  // the lane, for work, before it
    Clock::time_point begin = Clock::now();
    std::exception_ptr error = nullptr;
  };

  void serve();
  bool next();
  Batch pick();
  bool ready(const SessionState& session) const;
  bool joins(const Batch& batch, const SessionState& session) const;
  void start(Step& step, Team& team);
  void finish(Step step);
  std::optional<Jobs> leave(const Step& step, SessionState& session);
  void count(const Step& step, Clock::time_point end);

  Monitor& monitor_;
  std::unique_ptr<Stage> stage_;
  std::condition_variable work_;
  LaneStats stats_;
  std::deque<Step> under_way_;  // in the order of their beginnings
  uint64_t last_id_ = 0;        // the session that had the last turn
  bool idle_ = false;           // waits for work
  Clock::time_point last_end_;
  std::thread thread_;
};

}  // namespace omni
