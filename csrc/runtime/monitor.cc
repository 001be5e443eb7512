#include "runtime/monitor.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "runtime/lane.h"

namespace omni {

std::optional<Jobs> Monitor::settle_locked(SessionState& session) {
  if (!session.ended && session.over()) {
    session.ended = true;
    session.stats.done = session.now();
    session.error ? session.events.fail(session.error) : session.events.close();
  }
  if (!session.ended || session.working > 0) return std::nullopt;
  std::erase_if(sessions, [&](const auto& live) { return live.get() == &session; });
  ++session.working;
  return Jobs{std::move(session.params.prefill), std::move(session.params.wave)};
}

void Monitor::retire(SessionState& session, std::optional<Jobs> jobs) {
  if (!jobs) return;
  jobs.reset();
  std::lock_guard lock(mutex);
  --session.working;
  left_.notify_all();
}

void Monitor::add_idle_lanes(const SessionState& session, std::vector<Lane*>& idle) const {
  std::copy_if(lanes.begin(), lanes.end(), std::back_inserter(idle),
               [&](const Lane* lane) { return lane->awaits(session); });
}

void Monitor::settle(SessionState& session) {
  std::unique_lock lock(mutex);
  std::optional<Jobs> retired = settle_locked(session);
  lock.unlock();
  retire(session, std::move(retired));
}

void Monitor::room_made(const SessionState& session) {
  std::lock_guard lock(mutex);  // until the end: else the lanes may be gone
  std::vector<Lane*> idle;
  add_idle_lanes(session, idle);
  for (Lane* lane : idle) lane->wake();
}

bool Monitor::join(const SessionState& session, Clock::time_point deadline) {
  std::unique_lock lock(mutex);
  return left_.wait_until(lock, deadline, [&] { return session.ended && session.working == 0; });
}

}  // namespace omni
