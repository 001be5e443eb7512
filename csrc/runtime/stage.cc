#include "runtime/stage.h"

#include <cstdint>
#include <limits>
#include <utility>

namespace omni {
namespace {

// One plan serves all sessions: it works on its own row, so a session's state moves in and out.
void replay(const Track& track, StepState& state, Team& team) {
  *track.row = state;
  track.plan->run(team);
  state = *track.row;
}

}  // namespace

bool ThinkerStage::ready(const SessionState& session) const {
  if (session.text_done) return false;
  return session.codes_done || session.text_rows() - session.stats.talker_steps < ring_rows_;
}

void ThinkerStage::run(SessionState& session, Team& team) {
  if (session.prefilled()) {
    replay(track_, session.thinker, team);
  } else if (session.params.prefill->step()) {
    session.thinker = session.params.prefill->thinker();
    session.talker = session.params.prefill->talker();
    session.params.prefill.reset();  // here, without the lock; with it goes the prompt's memory
  }
}

void ThinkerStage::commit(SessionState& session) {
  if (session.prefilled()) {
    ++session.stats.thinker_steps;
    session.add_token(session.thinker.token);
  } else if (!session.params.prefill) {
    session.start_reply();
  }
}

bool TalkerStage::ready(const SessionState& session) const {
  if (session.codes_done) return false;
  return session.text_done || session.stats.talker_steps < session.text_rows();
}

void TalkerStage::begin(SessionState& session) {
  session.talker.text_rows =
      session.text_done ? session.text_rows() : std::numeric_limits<int32_t>::max();
}

void TalkerStage::run(SessionState& session, Team& team) { replay(track_, session.talker, team); }

void TalkerStage::commit(SessionState& session) {
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

void WaveStage::run(SessionState& session, Team& team) {
  piece_ = session.params.wave->step(codes_, complete_, team);
}

void WaveStage::commit(SessionState& session) {
  ++session.stats.wave_steps;
  session.add_speech(std::move(piece_));
}

}  // namespace omni
