#include "runtime/monitor.h"

#include <utility>

#include "runtime/lane.h"

namespace omni {

Jobs Monitor::settle_locked(SessionState& session) {
  if (!session.ended && session.over()) {
    session.ended = true;
    session.stats.done = session.now();
    session.error ? session.events.fail(session.error) : session.events.close();
  }
  if (!session.ended || session.working > 0) return {};
  std::erase_if(sessions, [&](const auto& live) { return live.get() == &session; });
  left_.notify_all();
  return {std::move(session.params.prefill), std::move(session.params.wave)};
}

void Monitor::wake_lanes(const SessionState& session) {
  for (Lane* lane : lanes) lane->wake_for(session);
}

void Monitor::settle(SessionState& session) {
  Jobs retired;
  std::lock_guard lock(mutex);
  retired = settle_locked(session);
}

void Monitor::room_made(const SessionState& session) {
  std::lock_guard lock(mutex);
  wake_lanes(session);
}

bool Monitor::join(const SessionState& session, Clock::time_point deadline) {
  std::unique_lock lock(mutex);
  return left_.wait_until(lock, deadline, [&] { return session.ended && session.working == 0; });
}

}  // namespace omni
