// What the matrix registers multiply: bytes, or numbers split into pieces of bfloat16.
//
// Float32 is exact as three pieces; of their nine products the six that count are summed (Henry,
// Tang and Heinecke, arXiv 1904.06376). Rows that meet bfloat16 weights become two, off by 2^-17 at
// most.
#pragma once

#ifdef __AMX_TILE__

#include "cpu/packed_split.h"
#include "cpu/tiles.h"

namespace omni::OMNI_ISA {
namespace {

// Which piece of x is multiplied with which of the weight; the smallest products come first.
struct Pieces {
  int x, w;
};

// `kInputs` of a row are a line of one tile in each of their pieces.
struct FloatTiles {
  static constexpr int kInputs = 32, kX = 3, kW = 3;
  static constexpr Pieces kPairs[] = {{2, 0}, {0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 2}};
};
struct HalfTiles {
  static constexpr int kInputs = 32, kX = 2, kW = 1;
  static constexpr Pieces kPairs[] = {{1, 0}, {0, 0}};
};
struct ByteTiles {
  static constexpr int kInputs = 64, kX = 1, kW = 1;
  static constexpr Pieces kPairs[] = {{0, 0}};
};

template <class Kind, int Sum, int A, int B>
inline void multiply() {
  if constexpr (Kind::kInputs == 64)
    multiply_u8_i8<Sum, A, B>();
  else
    multiply_bf16<Sum, A, B>();
}

// Where one step's tiles lie: one piece after the other, and the second tile behind the first.
struct TileAt {
  const uint8_t* data;
  int64_t piece, next;  // bytes
};

// Adds 1 or 2 tiles of rows (registers 4, 5) times as many of columns (6, 7) to the sums 0 .. 3.
// What the pair before has loaded stays.
template <class Kind, int R, int C, int P = 0>
inline void multiply_step(const TileAt& x, const TileAt& w) {
  constexpr Pieces now = Kind::kPairs[P], before = Kind::kPairs[P == 0 ? 0 : P - 1];
  if constexpr (P == 0 || now.w != before.w) {
    load_tile<6>(w.data + now.w * w.piece, kTileBytes);
    if constexpr (C == 2) load_tile<7>(w.data + now.w * w.piece + w.next, kTileBytes);
  }
  if constexpr (P == 0 || now.x != before.x) {
    load_tile<4>(x.data + now.x * x.piece, kTileBytes);
    if constexpr (R == 2) load_tile<5>(x.data + now.x * x.piece + x.next, kTileBytes);
  }
  multiply<Kind, 0, 4, 6>();
  if constexpr (C == 2) multiply<Kind, 1, 4, 7>();
  if constexpr (R == 2) multiply<Kind, 2, 5, 6>();
  if constexpr (R == 2 && C == 2) multiply<Kind, 3, 5, 7>();
  constexpr int kLast = sizeof(Kind::kPairs) / sizeof(Pieces) - 1;
  if constexpr (P < kLast) multiply_step<Kind, R, C, P + 1>(x, w);
}

}  // namespace
}  // namespace omni::OMNI_ISA

#endif
