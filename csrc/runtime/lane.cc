#include "runtime/lane.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace omni {
namespace {

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Lane::Lane(Monitor& monitor, std::unique_ptr<Stage> stage)
    : monitor_(monitor), stage_(std::move(stage)), thread_([this] { serve(); }) {}

void Lane::join() { thread_.join(); }

bool Lane::awaits(const SessionState& session) const { return idle_ && ready(session); }

void Lane::serve() {
  Team team;
  while (const std::shared_ptr<SessionState> session = next()) step(*session, team);
}

std::shared_ptr<SessionState> Lane::next() {
  std::unique_lock lock(monitor_.mutex);
  waited_ = false;
  while (!monitor_.stopping) {
    if (std::shared_ptr<SessionState> session = pick()) {
      last_id_ = session->id;
      ++session->working;
      stage_->begin(*session);
      return session;
    }
    idle_ = waited_ = true;
    work_.wait(lock);
    idle_ = false;
  }
  return nullptr;
}

// Round-robin: the first session after the last one served that has a step to do, an urgent one if
// there is any.
std::shared_ptr<SessionState> Lane::pick() const {
  const auto& all = monitor_.sessions;
  const auto later = [this](const auto& session) { return session->id > last_id_; };
  const size_t first = std::find_if(all.begin(), all.end(), later) - all.begin();
  std::shared_ptr<SessionState> found;
  for (size_t i = 0; i < all.size(); ++i) {
    const auto& session = all[(first + i) % all.size()];
    if (!ready(*session)) continue;
    if (stage_->urgent(*session)) return session;
    if (!found) found = session;
  }
  return found;
}

// Each lane adds at most one event a step, so a place for every lane means that all pushes fit.
bool Lane::ready(const SessionState& session) const {
  return !session.ended && stage_->ready(session) && session.events.room() >= kLanes;
}

void Lane::step(SessionState& session, Team& team) {
  std::exception_ptr error;
  const auto begin = Clock::now();
  try {
    stage_->run(session, team);
  } catch (...) {
    error = std::current_exception();  // the reader gets it; the lane serves the others
  }
  const auto end = Clock::now();

  std::unique_lock lock(monitor_.mutex);
  count(begin, end);
  --session.working;
  if (error && !session.ended) session.error = error;
  if (!error && !session.ended) stage_->commit(session);
  std::optional<Jobs> retired = monitor_.settle_locked(session);
  const std::vector<Lane*> idle = monitor_.idle_lanes(session);
  lock.unlock();  // who is woken would wait for it
  for (Lane* lane : idle) lane->wake();
  session.events.wake();
  error = nullptr;  // it may hold Python's frames: they go as the jobs do, before a join returns
  monitor_.retire(session, std::move(retired));
}

void Lane::count(Clock::time_point begin, Clock::time_point end) {
  if (!waited_ && stats_.steps > 0) {
    ++stats_.gaps;
    stats_.gap_seconds += seconds(begin - last_end_);
  }
  ++stats_.steps;
  stats_.step_seconds += seconds(end - begin);
  last_end_ = end;
}

}  // namespace omni
