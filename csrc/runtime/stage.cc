#include "runtime/stage.h"

#include <cstdint>
#include <limits>
#include <utility>

namespace omni {
namespace {

constexpr int32_t kOpen = std::numeric_limits<int32_t>::max();  // the thinker still writes

}  // namespace

bool ThinkerStage::ready(const SessionState& session) const {
  if (!session.prefilled()) return !session.reading;
  const int passes = session.thinker_begun;
  if (session.text_done || passes + 1 >= session.params.thinker_max_tokens) return false;
  const bool silent = session.codes_done && session.talker_finished == session.talker_begun;
  return silent || passes - session.talker_finished < ring_rows_;
}

void ThinkerStage::begin(SessionState& session) {
  session.prefilled() ? void(++session.thinker_begun) : void(session.reading = true);
}

void ThinkerStage::start(const Batch& batch, Team& team) {
  SessionState& first = *batch.front();
  if (!first.prefilled()) {
    if (!first.params.prefill->step()) return;
    first.thinker = first.params.prefill->thinker();
    first.talker = first.params.prefill->talker();
    first.params.prefill.reset();  // here, without the lock; with it goes the prompt's memory
    return;
  }
  std::vector<Seat> seats;
  for (const auto& session : batch)
    seats.push_back({&session->thinker, session->thinker_begun == 1 ? Change::all : Change::none});
  step_ = track_.start(seats, team);
}

void ThinkerStage::started(SessionState& session) {
  if (session.prefilled()) session.rows.push_back(step_);
}

void ThinkerStage::finish(const Batch& batch) {
  if (batch.front()->prefilled()) track_.finish();
}

void ThinkerStage::commit(SessionState& session) {
  if (!session.prefilled()) {
    session.reading = false;
    if (!session.params.prefill) session.start_reply();
  } else if (!session.text_done) {
    ++session.stats.thinker_steps;
    session.add_token(session.thinker.token);
  }
}

bool TalkerStage::ready(const SessionState& session) const {
  const auto step = static_cast<size_t>(session.talker_begun);
  if (session.codes_done || session.talker_begun >= session.params.talker_max_codes) return false;
  return session.text_done || (step < session.tokens.size() && step < session.rows.size());
}

void TalkerStage::begin(SessionState& session) {
  const auto step = static_cast<size_t>(session.talker_begun++);
  const int32_t text_rows = session.text_done ? session.text_rows() : kOpen;
  const bool closes = session.talker.text_rows != text_rows;
  session.talker.text_rows = text_rows;
  seats_.push_back({&session.talker,
                    step == 0 ? Change::all
                    : closes  ? Change::text_rows
                              : Change::none,
                    step < session.rows.size() ? session.rows[step] : 0});
}

void TalkerStage::start(const Batch&, Team& team) {
  const std::vector<Seat> seats = std::exchange(seats_, {});
  track_.start(seats, team);
}

void TalkerStage::commit(SessionState& session) {
  ++session.talker_finished;
  if (session.codes_done) return;
  ++session.stats.talker_steps;
  session.add_code(session.talker.token);
}

bool WaveStage::ready(const SessionState& session) const {
  return !session.wave_done && session.params.wave->wants(session.codes.size(), session.codes_done);
}

void WaveStage::begin(SessionState& session) {
  codes_ = {session.codes.data(), session.codes.size()};
  complete_ = session.codes_done;
}

void WaveStage::start(const Batch& batch, Team& team) {
  piece_ = batch.front()->params.wave->step(codes_, complete_, team);
}

void WaveStage::commit(SessionState& session) {
  ++session.stats.wave_steps;
  session.add_speech(std::move(piece_));
}

}  // namespace omni
