// What each lane does for a session, one step at a time.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/parallel.h"
#include "runtime/plan.h"
#include "runtime/session.h"

namespace omni {

// A plan and the row of the StepState tensor that it was recorded on.
struct Track {
  const Plan* plan;
  StepState* row;
};

// ready, urgent, begin and commit are called with Monitor::mutex held, run without. One lane calls
// them.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual bool ready(const SessionState& session) const = 0;
  // Whether its steps go before those of sessions that are not.
  virtual bool urgent(const SessionState&) const { return false; }
  virtual void begin(SessionState& session) = 0;
  virtual void run(SessionState& session, Team& team) = 0;
  virtual void commit(SessionState& session) = 0;
};

// Reads the prompt, which yields id g_0. Then pass k takes id g_{k-1}, yields g_k and writes row
// k-1 of the text ring. When the session speaks, it stays at most `ring_rows` rows ahead of the
// talker.
class ThinkerStage : public Stage {
 public:
  ThinkerStage(Track track, int ring_rows) : track_(track), ring_rows_(ring_rows) {}
  bool ready(const SessionState& session) const override;
  void begin(SessionState&) override {}
  void run(SessionState& session, Team& team) override;
  void commit(SessionState& session) override;

 private:
  Track track_;
  int ring_rows_;
};

// Step t reads text row t and yields code c_t.
class TalkerStage : public Stage {
 public:
  explicit TalkerStage(Track track) : track_(track) {}
  bool ready(const SessionState& session) const override;
  void begin(SessionState& session) override;
  void run(SessionState& session, Team& team) override;
  void commit(SessionState& session) override;

 private:
  Track track_;
};

// The first audio of a reply goes before later chunks of others.
class WaveStage : public Stage {
 public:
  bool ready(const SessionState& session) const override;
  bool urgent(const SessionState& session) const override { return !session.stats.first_audio; }
  void begin(SessionState& session) override;
  void run(SessionState& session, Team& team) override;
  void commit(SessionState& session) override;

 private:
  std::span<const int> codes_;
  bool complete_ = false;
  WavePiece piece_;
};

}  // namespace omni
