// What a session's reader gets, and the numbers that come with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "runtime/wave.h"

namespace omni {

// Every time is in seconds since SessionParams::start.

struct TokenEvent {
  int id;
  double time;
  bool stop;  // a stop id: it ends the reply and has no text
};

struct AudioEvent {
  std::vector<float> samples;
  int64_t start;  // index of the first sample in the reply
  double time;
  ChunkWork work;
};

struct DoneEvent {
  std::string finish_reason;  // "stop", "length" or "cancelled"
  double time;
};

// An AudioEvent without its samples.
struct ChunkStats {
  int64_t start;
  int64_t samples;
  double time;
  ChunkWork work;
};

using Event = std::variant<TokenEvent, AudioEvent, DoneEvent>;

struct SessionStats {
  int text_tokens = 0;  // the stop id included
  int codes = 0;
  int64_t samples = 0;
  int thinker_steps = 0;
  int talker_steps = 0;
  int wave_steps = 0;
  std::optional<double> prefill;  // the prompt was read
  std::optional<double> first_text;
  std::optional<double> first_code;
  std::optional<double> first_audio;
  std::optional<double> last_text;
  std::optional<double> done;
  std::optional<int> text_tokens_at_first_code;
  std::optional<int> codes_at_first_audio;
  std::vector<ChunkStats> chunks;
  std::string finish_reason;  // empty until the text is complete
};

struct LaneStats {
  int64_t steps = 0;
  double step_seconds = 0;  // inside the steps
  int64_t gaps = 0;         // steps that followed another one without waiting for work
  double gap_seconds = 0;   // from the end of that one to the start of this one
};

}  // namespace omni
