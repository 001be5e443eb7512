#include "runtime/session.h"

#include <algorithm>
#include <utility>

#include "runtime/monitor.h"

namespace omni {
namespace {

bool contains(const std::vector<int>& ids, int id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

SessionState::SessionState(uint64_t id, SessionParams p)
    : id(id),
      params(std::move(p)),
      events(static_cast<size_t>(params.event_capacity)),
      codes_done(!params.speaks),
      wave_done(params.wave == nullptr) {
  if (params.speaks) codes.reserve(static_cast<size_t>(params.talker_max_codes));
}

void SessionState::start_reply() {
  stats.prefill = now();
  add_token(thinker.token);
}

double SessionState::now() const {
  return std::chrono::duration<double>(Clock::now() - params.start).count();
}

void SessionState::add_token(int id) {
  const bool stop = contains(params.thinker_stop_ids, id);
  const double time = now();
  tokens.push_back(id);
  ++stats.text_tokens;
  if (!stats.first_text) stats.first_text = time;
  stats.last_text = time;
  text_done = stop || static_cast<int>(tokens.size()) >= params.thinker_max_tokens;
  if (text_done) {
    stats.finish_reason = stop ? "stop" : "length";
    if (text_rows() == 0) codes_done = wave_done = true;  // nothing to say
  }
  events.push(TokenEvent{id, time, stop});
}

// The last generated id is never spoken, be it a stop id or one that the budget cut off, as in
// transformers 4.57.1 (`Qwen2_5OmniForConditionalGeneration.generate`).
void SessionState::add_code(int code) {
  codes_done =
      contains(params.talker_stop_ids, code) || stats.talker_steps >= params.talker_max_codes;
  if (!codes_done) {
    codes.push_back(code);
    ++stats.codes;
    if (!stats.first_code) {
      stats.first_code = now();
      stats.text_tokens_at_first_code = stats.text_tokens;
    }
  } else if (codes.empty()) {
    wave_done = true;
  }
}

void SessionState::add_speech(WavePiece piece) {
  wave_done = piece.finished;
  if (piece.samples.empty()) return;
  const double time = now();
  if (!stats.first_audio) {
    stats.first_audio = time;
    stats.codes_at_first_audio = stats.codes;
  }
  const int64_t start = stats.samples, count = static_cast<int64_t>(piece.samples.size());
  stats.samples += count;
  stats.chunks.push_back({start, count, time, piece.work});
  events.push(AudioEvent{std::move(piece.samples), start, time, piece.work});
}

bool SessionState::over() const {
  return error || events.cancelled() || (text_done && codes_done && wave_done);
}

Session::Session(std::shared_ptr<Monitor> monitor, std::shared_ptr<SessionState> state)
    : monitor_(std::move(monitor)), state_(std::move(state)) {}

Session::~Session() { cancel(); }

std::optional<Event> Session::next(Clock::time_point deadline) {
  std::optional<Event> event = state_->events.pop(deadline);
  if (event) {
    if (state_->events.room() <= monitor_->places) monitor_->room_made(*state_);
    return event;
  }
  if (!state_->events.closed()) return std::nullopt;
  const SessionStats last = stats();
  const bool cancelled = state_->events.cancelled();
  return DoneEvent{cancelled ? "cancelled" : last.finish_reason, last.done.value_or(state_->now())};
}

void Session::cancel() {
  state_->events.cancel();
  monitor_->settle(*state_);
}

bool Session::join(Clock::time_point deadline) { return monitor_->join(*state_, deadline); }

std::vector<int> Session::tokens() const {
  std::lock_guard lock(monitor_->mutex);
  return state_->tokens;
}

std::vector<int> Session::codes() const {
  std::lock_guard lock(monitor_->mutex);
  return state_->codes;
}

SessionStats Session::stats() const {
  std::lock_guard lock(monitor_->mutex);
  return state_->stats;
}

}  // namespace omni
