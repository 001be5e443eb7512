// A thinker, a talker and a wave job that follow a script, check what they are given, and call a
// hook before every step.
#pragma once

#include <climits>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "check.h"
#include "runtime/scheduler.h"

namespace omni::test {

constexpr int kRing = 4;
constexpr int kSamplesPerCode = 2;
constexpr int kEos = -1, kPad = -2;  // what a talker step reads beyond the reply's rows
constexpr int kTextStop = 1000, kCodeStop = 2000;

enum class At { prefill, thinker, talker, wave };

inline int text_id(int slot, int k) { return 10 * slot + k; }
inline int text_row(int slot, int k) { return 100000 * (slot + 1) + k; }
inline int code_id(int slot, int t) { return 5000 + 10 * slot + t; }

// What one slot generates. Lengths count the stop id; 0 stands for "never stops".
struct Script {
  int text_length = 5;
  int code_length = 9;
};

class Models {
 public:
  // step: the piece (prefill), the pass (thinker), the step (talker) or the codes done (wave).
  using Hook = std::function<void(At, int slot, int step)>;

  explicit Models(std::vector<Script> scripts, Hook hook = nullptr)
      : scripts_(std::move(scripts)),
        hook_(std::move(hook)),
        ring_(scripts_.size() * kRing),
        inputs_(scripts_.size()) {
    thinker_.append("think", think, {&thinker_row_, this});
    talker_.append("talk", talk, {&talker_row_, this});
  }

  Track& thinker() { return thinker_track_; }
  Track* talker() { return &talker_track_; }
  std::unique_ptr<WaveJob> wave(int slot);
  std::unique_ptr<PrefillJob> prefill(int slot);

  SessionParams params(int slot, bool speaks = true) {
    SessionParams params;
    params.prefill = prefill(slot);
    params.thinker_max_tokens = 1 << 20;
    params.thinker_stop_ids = {3, kTextStop};
    if (speaks) {
      params.speaks = true;
      params.talker_max_codes = 4096;
      params.talker_stop_ids = {kCodeStop};
      params.wave = wave(slot);
    }
    inputs_[slot].clear();
    return params;
  }

  int token(int slot, int k) const {
    return k + 1 == scripts_[slot].text_length ? kTextStop : text_id(slot, k) + 100;
  }
  int code(int slot, int t) const {
    return t + 1 == scripts_[slot].code_length ? kCodeStop : code_id(slot, t);
  }
  // What the slot's talker steps read; after the session was joined.
  const std::vector<int>& inputs(int slot) const { return inputs_[slot]; }
  const Script& script(int slot) const { return scripts_[slot]; }

  size_t slots() const { return scripts_.size(); }

  // Notes what talker step `row` reads.
  void hear(int slot, int row, int text_rows, const int& ring) {
    inputs_[slot].push_back(row < text_rows ? ring : row == text_rows ? kEos : kPad);
  }

  void hook(At at, int slot, int step) const {
    if (hook_) hook_(at, slot, step);
  }

 private:
  struct Args {
    StepState* row;
    Models* models;
  };

  int& ring(int slot, int row) { return ring_[slot * kRing + row % kRing]; }

  static void think(const Args& args, Team&) {
    StepState& s = *args.row;
    args.models->hook(At::thinker, s.slot, s.row + 1);
    EXPECT(s.token == args.models->token(s.slot, s.row));
    args.models->ring(s.slot, s.row) = text_row(s.slot, s.row);
    ++s.row;
    s.token = args.models->token(s.slot, s.row);
  }

  static void talk(const Args& args, Team&) {
    StepState& s = *args.row;
    args.models->hook(At::talker, s.slot, s.row);
    EXPECT(s.row == 0 || s.token == args.models->code(s.slot, s.row - 1));
    args.models->hear(s.slot, s.row, s.text_rows, args.models->ring(s.slot, s.row));
    s.token = args.models->code(s.slot, s.row);
    ++s.row;
  }

  std::vector<Script> scripts_;
  Hook hook_;
  std::vector<int> ring_;  // [slots, kRing]; plain, so that TSan sees a row read too early
  std::vector<std::vector<int>> inputs_;
  StepState thinker_row_{}, talker_row_{};
  Plan thinker_{"thinker"}, talker_{"talker"};
  PlanTrack thinker_track_{thinker_, thinker_row_}, talker_track_{talker_, talker_row_};
};

// Two pieces of work, then the first id.
class ScriptedPrefill : public PrefillJob {
 public:
  ScriptedPrefill(const Models& models, int slot) : models_(models), slot_(slot) {}

  bool step() override {
    models_.hook(At::prefill, slot_, pieces_);
    return ++pieces_ == 2;
  }

  StepState thinker() const override {
    StepState state{};
    state.slot = slot_;
    state.token = models_.token(slot_, 0);
    return state;
  }

  StepState talker() const override {
    StepState state{};
    state.slot = slot_;
    return state;
  }

 private:
  const Models& models_;
  int slot_;
  int pieces_ = 0;
};

// One code a step: kSamplesPerCode samples of its id. Every other step only works.
class ScriptedWave : public WaveJob {
 public:
  ScriptedWave(const Models& models, int slot) : models_(models), slot_(slot) {}

  bool wants(size_t, bool complete) const override { return complete; }

  WavePiece step(std::span<const int> codes, bool complete, Team&) override {
    EXPECT(complete);
    models_.hook(At::wave, slot_, static_cast<int>(done_));
    if (done_ == codes.size()) return {{}, {}, true};
    working_ = !working_;
    if (working_) return {};
    return {std::vector(kSamplesPerCode, static_cast<float>(codes[done_++])), {}, false};
  }

 private:
  const Models& models_;
  int slot_;
  size_t done_ = 0;
  bool working_ = false;
};

inline std::unique_ptr<WaveJob> Models::wave(int slot) {
  return std::make_unique<ScriptedWave>(*this, slot);
}

inline std::unique_ptr<PrefillJob> Models::prefill(int slot) {
  return std::make_unique<ScriptedPrefill>(*this, slot);
}

// What a reader saw.
struct Read {
  std::vector<int> tokens;
  std::vector<float> samples;
  std::string finish_reason;
};

// Adds one event; true for the last one.
inline bool take(const Event& event, Read& read) {
  if (const auto* token = std::get_if<TokenEvent>(&event)) {
    read.tokens.push_back(token->id);
    EXPECT(token->stop == (token->id == kTextStop));
  } else if (const auto* audio = std::get_if<AudioEvent>(&event)) {
    EXPECT(audio->start == static_cast<int64_t>(read.samples.size()));
    read.samples.insert(read.samples.end(), audio->samples.begin(), audio->samples.end());
  } else {
    read.finish_reason = std::get<DoneEvent>(event).finish_reason;
  }
  return std::holds_alternative<DoneEvent>(event);
}

inline Read read_all(Session& session) {
  Read read;
  while (!take(*session.next(Clock::time_point::max()), read)) {
  }
  return read;
}

// Everything that a finished, spoken reply must show. codes: how many are expected.
inline void expect_complete(const Models& models, int slot, Session& session, const Read& read,
                            int tokens, int codes) {
  EXPECT(static_cast<int>(read.tokens.size()) == tokens && session.tokens() == read.tokens);
  for (int k = 0; k < tokens; ++k) EXPECT(read.tokens[k] == models.token(slot, k));
  EXPECT(static_cast<int>(session.codes().size()) == codes);
  for (int t = 0; t < codes; ++t) EXPECT(session.codes()[t] == models.code(slot, t));
  EXPECT(static_cast<int>(read.samples.size()) == kSamplesPerCode * codes);
  for (size_t i = 0; i < read.samples.size(); ++i)
    EXPECT(read.samples[i] == static_cast<float>(models.code(slot, i / kSamplesPerCode)));
  EXPECT(session.join(Clock::time_point::max()));
  const std::vector<int>& inputs = models.inputs(slot);
  for (int t = 0; t < static_cast<int>(inputs.size()); ++t) {
    const int rows = tokens - 1;
    EXPECT(inputs[t] == (t < rows ? text_row(slot, t) : t == rows ? kEos : kPad));
  }
}

}  // namespace omni::test
