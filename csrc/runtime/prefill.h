// The seam of the thinker lane's first work on a session: its prompt.
#pragma once

#include "base/step_state.h"

namespace omni {

// Reads the prompt of one session piece by piece, so that other sessions' steps run in between.
// Only the thinker's lane calls it; the destructor may run on any thread, without a lock held.
class PrefillJob {
 public:
  virtual ~PrefillJob() = default;

  // Works on for a while. Returns true when the prompt is read.
  virtual bool step() = 0;

  // After that: the states of the first steps. The thinker's token is the reply's first id.
  virtual StepState thinker() const = 0;
  virtual StepState talker() const = 0;
};

}  // namespace omni
