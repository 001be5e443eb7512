#include "runtime/scheduler.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "runtime/error.h"

namespace omni {
namespace {

void require(bool ok, const char* field, int value, const char* fix) {
  if (!ok)
    throw std::invalid_argument(std::string(field) + "=" + std::to_string(value) + ": " + fix);
}

}  // namespace

Scheduler::Scheduler(Track& thinker, Track* talker, int ring_rows)
    : speaks_(talker != nullptr), monitor_(std::make_shared<Monitor>()) {
  require(ring_rows >= 1, "ring_rows", ring_rows, "use 1 or more");
  std::vector<std::unique_ptr<Stage>> stages;
  stages.push_back(std::make_unique<ThinkerStage>(thinker, ring_rows));
  if (talker) {
    stages.push_back(std::make_unique<TalkerStage>(*talker));
    stages.push_back(std::make_unique<WaveStage>());
  }
  try {
    std::lock_guard lock(monitor_->mutex);
    size_t steps = 0;
    for (const auto& stage : stages) steps += stage->ahead();
    monitor_->places = std::max(steps, kLanes);
    for (auto& stage : stages) {
      lanes_.push_back(std::make_unique<Lane>(*monitor_, std::move(stage)));
      monitor_->lanes.push_back(lanes_.back().get());
    }
  } catch (...) {
    close();  // a lane's thread could not be made: those before it must be joined
    throw;
  }
}

Scheduler::~Scheduler() { close(); }

std::unique_ptr<Session> Scheduler::submit(SessionParams params) {
  check(params);
  std::shared_ptr<SessionState> state;
  std::lock_guard lock(monitor_->mutex);
  if (monitor_->stopping) throw EngineError("the scheduler is closed");
  state = std::make_shared<SessionState>(++submitted_, std::move(params));
  monitor_->sessions.push_back(state);
  std::vector<Lane*> idle;
  monitor_->add_idle_lanes(*state, idle);
  for (Lane* lane : idle) lane->wake();
  return std::make_unique<Session>(monitor_, state);
}

void Scheduler::close() {
  std::vector<std::shared_ptr<SessionState>> live;
  std::vector<std::optional<Jobs>> retired;
  {
    std::lock_guard lock(monitor_->mutex);
    if (monitor_->stopping) return;
    monitor_->stopping = true;
    const auto error = std::make_exception_ptr(EngineError("the runtime was closed"));
    live = monitor_->sessions;
    for (const auto& session : live) {
      if (!session->ended) session->error = error;
      retired.push_back(monitor_->settle_locked(*session));
    }
    for (Lane* lane : std::exchange(monitor_->lanes, {})) lane->wake();
  }
  for (size_t i = 0; i < live.size(); ++i) monitor_->retire(*live[i], std::move(retired[i]));
  for (const auto& lane : lanes_) lane->join();
  lanes_.clear();
}

std::vector<LaneStats> Scheduler::stats() const {
  std::lock_guard lock(monitor_->mutex);
  std::vector<LaneStats> all;
  for (const Lane* lane : monitor_->lanes) all.push_back(lane->stats());
  return all;
}

void Scheduler::check(const SessionParams& params) const {
  require(params.thinker_max_tokens >= 1, "thinker_max_tokens", params.thinker_max_tokens,
          "use 1 or more");
  const std::string fix =
      "use " + std::to_string(monitor_->places) + " or more, a place for each step under way";
  require(params.event_capacity >= static_cast<int>(monitor_->places), "event_capacity",
          params.event_capacity, fix.c_str());
  if (!params.prefill) throw std::invalid_argument("prefill: every session needs one");
  if (!params.speaks) {
    if (params.wave) throw std::invalid_argument("wave: needs speaks=True");
    return;
  }
  if (!speaks_) throw std::invalid_argument("speaks: this scheduler has no talker");
  require(params.talker_max_codes >= 1, "talker_max_codes", params.talker_max_codes,
          "use 1 or more");
}

}  // namespace omni
