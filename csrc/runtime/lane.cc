#include "runtime/lane.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace omni {
namespace {

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Lane::Lane(Monitor& monitor, std::unique_ptr<Stage> stage)
    : monitor_(monitor), stage_(std::move(stage)), thread_([this] { serve(); }) {}

void Lane::join() { thread_.join(); }

bool Lane::awaits(const SessionState& session) const { return idle_ && ready(session); }

// New steps go before the end of old ones, so that a device always has its next step.
void Lane::serve() {
  Team team;
  for (;;) {
    if (next()) {
      start(under_way_.back(), team);
    } else if (!under_way_.empty()) {
      Step oldest = std::move(under_way_.front());
      under_way_.pop_front();
      finish(std::move(oldest));
    } else {
      return;
    }
  }
}

// Begins a step. Where there is none to begin, it waits, unless others are under way.
bool Lane::next() {
  std::unique_lock lock(monitor_.mutex);
  for (bool waited = false; !monitor_.stopping; waited = true) {
    if (under_way_.size() < static_cast<size_t>(stage_->ahead())) {
      if (Batch batch = pick(); !batch.empty()) {
        for (const auto& session : batch) {
          ++session->working;
          stage_->begin(*session);
        }
        under_way_.push_back({std::move(batch), waited});
        return true;
      }
    }
    if (!under_way_.empty()) return false;
    idle_ = true;
    work_.wait(lock);
    idle_ = false;
  }
  return false;
}

// Round-robin: the first session after the last one served that has a step to do, an urgent one if
// there is any, and with it others that fit in. The next turn begins at the first one left out.
Batch Lane::pick() {
  const auto& all = monitor_.sessions;
  const auto later = [this](const auto& session) { return session->id > last_id_; };
  const size_t first = std::find_if(all.begin(), all.end(), later) - all.begin();
  Batch batch;
  uint64_t last = last_id_;
  bool left_out = false;
  for (size_t i = 0; i < all.size(); ++i) {
    const auto& session = all[(first + i) % all.size()];
    if (!ready(*session)) continue;
    const bool urgent = stage_->urgent(*session);
    if (urgent) batch.clear();
    if (!urgent && !joins(batch, *session)) {
      left_out = true;
      continue;
    }
    batch.push_back(session);
    if (urgent || !left_out) last = session->id;
    if (urgent) break;
  }
  last_id_ = last;
  return batch;
}

// Each lane adds at most one event a step, so a place for every step means that all pushes fit.
bool Lane::ready(const SessionState& session) const {
  return !session.ended && stage_->ready(session) && session.events.room() >= monitor_.places;
}

bool Lane::joins(const Batch& batch, const SessionState& session) const {
  if (batch.empty()) return true;
  return batch.size() < static_cast<size_t>(stage_->width()) && !stage_->alone(*batch.front()) &&
         !stage_->alone(session);
}

void Lane::start(Step& step, Team& team) {
  try {
    stage_->start(step.batch, team);
  } catch (...) {
    step.error = std::current_exception();  // the readers get it; the lane serves the others
    return;
  }
  if (stage_->ahead() == 1) return;  // it finishes next, and then tells
  std::vector<Lane*> idle;
  {
    std::lock_guard lock(monitor_.mutex);
    for (const auto& session : step.batch) {
      stage_->started(*session);
      monitor_.add_idle_lanes(*session, idle);
    }
  }
  for (Lane* lane : idle) lane->wake();
}

void Lane::finish(Step step) {
  try {
    if (!step.error) stage_->finish(step.batch);
  } catch (...) {
    step.error = std::current_exception();
  }
  const auto end = Clock::now();
  std::vector<std::optional<Jobs>> retired;
  std::vector<Lane*> idle;
  {
    std::lock_guard lock(monitor_.mutex);
    count(step, end);
    for (const auto& session : step.batch) {
      retired.push_back(leave(step, *session));
      monitor_.add_idle_lanes(*session, idle);
    }
  }  // who is woken would wait for the lock
  for (Lane* lane : idle) lane->wake();
  for (const auto& session : step.batch) session->events.wake();
  step.error =
      nullptr;  // it may hold Python's frames: they go as the jobs do, before a join returns
  for (size_t i = 0; i < retired.size(); ++i)
    monitor_.retire(*step.batch[i], std::move(retired[i]));
}

std::optional<Jobs> Lane::leave(const Step& step, SessionState& session) {
  --session.working;
  if (!session.ended && step.error) session.error = step.error;
  if (!session.ended && !step.error) {
    if (stage_->ahead() == 1) stage_->started(session);
    stage_->commit(session);
  }
  return monitor_.settle_locked(session);
}

void Lane::count(const Step& step, Clock::time_point end) {
  if (!step.waited && stats_.steps > 0) {
    ++stats_.gaps;
    stats_.gap_seconds += std::max(0.0, seconds(step.begin - last_end_));
  }
  ++stats_.steps;
  stats_.step_seconds += seconds(end - std::max(step.begin, last_end_));
  last_end_ = end;
}

}  // namespace omni
