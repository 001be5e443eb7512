#include "cuda/seating.h"

#include <algorithm>

namespace omni::cuda {

Moves Seating::seat(std::span<const int> slots, int bucket) {
  Moves moves;
  const auto wanted = [&](int slot) {
    return std::find(slots.begin(), slots.end(), slot) != slots.end();
  };
  for (int row = 0; row < static_cast<int>(slots_.size()); ++row) {
    if (slots_[row] == kNobody || (row < bucket && wanted(slots_[row]))) continue;
    moves.out.push_back({slots_[row], row});
    slots_[row] = kNobody;
  }
  int row = 0;
  for (const int slot : slots) {
    if (row_of(slot) >= 0) continue;
    while (slots_[row] != kNobody) ++row;
    slots_[row] = slot;
    moves.in.push_back({slot, row});
  }
  for (int i = 0; i < bucket; ++i)
    if (slots_[i] == kNobody) moves.empty.push_back(i);
  return moves;
}

int Seating::row_of(int slot) const {
  const auto found = std::find(slots_.begin(), slots_.end(), slot);
  return found == slots_.end() ? -1 : static_cast<int>(found - slots_.begin());
}

}  // namespace omni::cuda
