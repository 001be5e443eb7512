// The scheduler's bookkeeping: the live sessions and one lock. Handles share it, because a reader
// may keep one longer than the scheduler lives.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "runtime/session.h"

namespace omni {

class Lane;

inline constexpr size_t kLanes = 3;

// The lock is taken before that of a channel, never after; and never while Python may run.
class Monitor {
 public:
  std::mutex mutex;

  // Guarded by mutex.
  std::vector<std::shared_ptr<SessionState>> sessions;  // in order of submission
  std::vector<Lane*> lanes;
  bool stopping = false;
  size_t places = kLanes;  // for events, that a session needs for a step: one per step under way

  // With the lock held: tells the reader if the reply is over, and forgets it when no lane works on
  // it. What it returns then must go to retire() after unlocking.
  [[nodiscard]] std::optional<Jobs> settle_locked(SessionState& session);
  // Destroys the jobs, which counts as work on the session: a reader who has joined it may rely on
  // it that no lane is left with the last reference to something, such as the scheduler itself.
  void retire(SessionState& session, std::optional<Jobs> jobs);
  // With the lock held: the idle lanes that can do a step of this session now. To be woken.
  void add_idle_lanes(const SessionState& session, std::vector<Lane*>& idle) const;

  void settle(SessionState& session);
  void room_made(const SessionState& session);
  bool join(const SessionState& session, Clock::time_point deadline);

 private:
  std::condition_variable left_;  // a lane left a session, or it ended
};

}  // namespace omni
