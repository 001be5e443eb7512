// What each lane does for a session, one step at a time.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/parallel.h"
#include "runtime/session.h"
#include "runtime/track.h"

namespace omni {

// The sessions of one step.
using Batch = std::vector<std::shared_ptr<SessionState>>;

// ready, alone, urgent, begin, started and commit are called with Monitor::mutex held, start and
// finish without. One lane calls them: a step begins, starts, is started, and later, in the order
// of starting, finishes and is committed.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual int width() const { return 1; }  // as of Track
  virtual int ahead() const { return 1; }

  // Whether another step of it may begin.
  virtual bool ready(const SessionState& session) const = 0;
  // Whether that step serves no other session.
  virtual bool alone(const SessionState&) const { return false; }
  // Whether its steps go before those of sessions that are not.
  virtual bool urgent(const SessionState&) const { return false; }

  virtual void begin(SessionState& session) = 0;
  virtual void start(const Batch& batch, Team& team) = 0;
  virtual void started(SessionState&) {}
  virtual void finish(const Batch&) {}
  virtual void commit(SessionState& session) = 0;
};

// Reads the prompt, which yields id g_0. Then pass k takes id g_{k-1}, yields g_k and writes row
// k-1 of the text ring. When the session speaks, it stays at most `ring_rows` rows ahead of the
// talker. Passes that were begun before the last id was known are dropped.
class ThinkerStage : public Stage {
 public:
  ThinkerStage(Track& track, int ring_rows) : track_(track), ring_rows_(ring_rows) {}
  int width() const override { return track_.width(); }
  int ahead() const override { return track_.ahead(); }
  bool ready(const SessionState& session) const override;
  bool alone(const SessionState& session) const override { return !session.prefilled(); }
  void begin(SessionState& session) override;
  void start(const Batch& batch, Team& team) override;
  void started(SessionState& session) override;
  void finish(const Batch& batch) override;
  void commit(SessionState& session) override;

 private:
  Track& track_;
  int ring_rows_;
  uint64_t step_ = 0;  // the track's last one
};

// Step t reads text row t and yields code c_t. It may begin when id g_t is known not to be the last
// one and pass t + 1, which writes the row, is under way.
class TalkerStage : public Stage {
 public:
  explicit TalkerStage(Track& track) : track_(track) {}
  int width() const override { return track_.width(); }
  int ahead() const override { return track_.ahead(); }
  bool ready(const SessionState& session) const override;
  void begin(SessionState& session) override;
  void start(const Batch& batch, Team& team) override;
  void finish(const Batch&) override { track_.finish(); }
  void commit(SessionState& session) override;

 private:
  Track& track_;
  std::vector<Seat> seats_;  // of the step that begins
};

// The first audio of a reply goes before later chunks of others.
class WaveStage : public Stage {
 public:
  bool ready(const SessionState& session) const override;
  bool urgent(const SessionState& session) const override { return !session.stats.first_audio; }
  void begin(SessionState& session) override;
  void start(const Batch& batch, Team& team) override;
  void commit(SessionState& session) override;

 private:
  std::span<const int> codes_;
  bool complete_ = false;
  WavePiece piece_;
};

}  // namespace omni
