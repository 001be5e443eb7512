// One reply in the making: what the lanes know of it, and the reader's handle to it.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include "base/step_state.h"
#include "runtime/channel.h"
#include "runtime/event.h"
#include "runtime/prefill.h"
#include "runtime/wave.h"

namespace omni {

struct SessionParams {
  std::unique_ptr<PrefillJob> prefill;
  int thinker_max_tokens = 0;
  std::vector<int> thinker_stop_ids;
  bool speaks = false;  // or text only
  int talker_max_codes = 0;
  std::vector<int> talker_stop_ids;
  std::unique_ptr<WaveJob> wave;  // none: codes only
  int event_capacity = 64;
  Clock::time_point start = Clock::now();
};

// What must be destroyed without a lock: it may be Python's.
struct Jobs {
  std::unique_ptr<PrefillJob> prefill;
  std::unique_ptr<WaveJob> wave;
};

class Monitor;

// Guarded by Monitor::mutex, except that the states and the jobs belong to their lanes while these
// are in a step of this session.
struct SessionState {
  SessionState(uint64_t id, SessionParams params);

  double now() const;
  int text_rows() const { return static_cast<int>(tokens.size()) - 1; }  // written so far
  bool prefilled() const { return !tokens.empty(); }
  void start_reply();  // the prompt is read: delivers the first id
  void add_token(int id);
  void add_code(int code);
  void add_speech(WavePiece piece);
  bool over() const;

  const uint64_t id;
  SessionParams params;
  StepState thinker{};
  StepState talker{};
  bool reading = false;        // a piece of the prompt is under way
  int thinker_begun = 0;       // passes
  int talker_begun = 0;        // steps
  int talker_finished = 0;     // of them; those after the last code too
  std::vector<uint64_t> rows;  // text rows under way or written: the thinker's step of each
  Channel<Event> events;
  std::vector<int> tokens;
  std::vector<int> codes;  // never reallocated: the wave lane reads a prefix while it grows
  bool text_done = false;
  bool codes_done;
  bool wave_done;
  std::exception_ptr error;
  bool ended = false;  // the reader was told; no further step begins
  int working = 0;     // steps under way, and whoever destroys its jobs
  SessionStats stats;
};

// The reader's handle; one thread at a time reads. Dropping it cancels the reply.
class Session {
 public:
  Session(std::shared_ptr<Monitor> monitor, std::shared_ptr<SessionState> state);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The next event, or nothing when `deadline` has passed. After the last event comes DoneEvent, as
  // often as asked. Rethrows the exception of a lane that failed.
  std::optional<Event> next(Clock::time_point deadline);

  // Ends the reply: unread events are dropped and no further step begins. Does not wait.
  void cancel();

  // Waits until the reply has ended, no lane works on it any more, so that its slot may be used
  // again, and its jobs are destroyed. False when `deadline` has passed. Does not read: cancel
  // first if nobody will.
  bool join(Clock::time_point deadline);

  std::vector<int> tokens() const;  // with the stop id, if one came
  std::vector<int> codes() const;   // without the last generated id
  SessionStats stats() const;

 private:
  std::shared_ptr<Monitor> monitor_;
  std::shared_ptr<SessionState> state_;
};

}  // namespace omni
