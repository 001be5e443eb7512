// Who sits where in a batch, and what moves.
#include <array>
#include <vector>

#include "check.h"
#include "cuda/seating.h"

using omni::cuda::Moves;
using omni::cuda::Seating;

namespace {

Moves seat(Seating& seating, std::vector<int> slots, int bucket) {
  const Moves moves = seating.seat(slots, bucket);
  std::vector<bool> taken(bucket);
  for (const int slot : slots) {
    const int row = seating.row_of(slot);
    EXPECT(row >= 0 && row < bucket && !taken[row]);
    taken[row] = true;
  }
  for (const int row : moves.empty) EXPECT(!taken[row]);
  EXPECT(slots.size() + moves.empty.size() == static_cast<size_t>(bucket));
  return moves;
}

void who_stays_keeps_the_row() {
  Seating seating(4);
  EXPECT(seat(seating, {7, 5}, 2).in.size() == 2);
  const Moves same = seat(seating, {5, 7}, 2);
  EXPECT(same.in.empty() && same.out.empty());
  const Moves more = seat(seating, {9, 5, 7}, 4);
  EXPECT(more.in.size() == 1 && more.in[0].slot == 9 && more.out.empty());
  EXPECT(more.empty.size() == 1);
  EXPECT(seating.row_of(8) == -1);
}

void who_leaves_goes_to_rest() {
  Seating seating(4);
  seat(seating, {1, 2, 3, 4}, 4);
  const int row = seating.row_of(4);
  const Moves fewer = seat(seating, {4, 6}, 2);  // 4 sat beyond the smaller bucket
  EXPECT(fewer.out.size() == 4 && fewer.in.size() == 2);
  bool moved = false;
  for (const auto& out : fewer.out) moved |= out.slot == 4 && out.row == row;
  EXPECT(moved && seating.row_of(1) == -1);
}

}  // namespace

int main() {
  who_stays_keeps_the_row();
  who_leaves_goes_to_rest();
}
