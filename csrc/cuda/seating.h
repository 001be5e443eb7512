// Which session sits in which row of a step's batch.
#pragma once

#include <span>
#include <vector>

namespace omni::cuda {

// A state moves between the row of its slot, where it rests, and a row of the batch.
struct Move {
  int slot;
  int row;
};

struct Moves {
  std::vector<Move> out;   // first, from the batch to where they rest
  std::vector<Move> in;    // then, into the batch
  std::vector<int> empty;  // rows of the bucket that nobody has
};

// Who stays keeps the row, so that a step with the sessions of the one before moves nothing.
class Seating {
 public:
  explicit Seating(int rows) : slots_(rows, kNobody) {}

  // Seats these slots, each once, in the first `bucket` rows.
  Moves seat(std::span<const int> slots, int bucket);

  // The row of a slot, or -1.
  int row_of(int slot) const;

 private:
  static constexpr int kNobody = -1;

  std::vector<int> slots_;  // by row
};

}  // namespace omni::cuda
