// Products of laid out rows by the matrix registers; included by vocoder_block.h.
#pragma once

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kTileRows = kTileSide;
constexpr int64_t kTileStep = kTileSide;
constexpr int64_t kBlockRows = 7 * 128;  // sums of one panel, over all points or phases
constexpr int64_t kPanels = 12;          // of one block
constexpr int64_t kTogether = 2;         // panels of one product
constexpr int64_t kLine = kSplitInputs;  // channels that are laid out at once
constexpr int64_t kTapsTogether = 4;     // whose weights are split at once
constexpr int kPieces = FloatTiles::kX;

constexpr int64_t laid_size(int64_t rows, int64_t depth) {
  return rows * ceil_div(depth, kLine) * kPieces * (kTileBytes / 4);
}

// Rows as [step][piece][row][64 bytes], so that a tile may begin at any of them.
struct Laid {
  float* data;
  int64_t rows, depth;

  int64_t piece() const { return rows * kTileBytes; }
  const uint8_t* at(int64_t row) const {
    return reinterpret_cast<const uint8_t*>(data) + row * kTileBytes;
  }

  // Channels [k, k + kLine) of a row; those beyond depth are zero.
  void put(int64_t row, int64_t k, Vec (&x)[2]) const {
    uint8_t* to = reinterpret_cast<uint8_t*>(data) + k / kLine * kPieces * piece();
    for (int p = 0; p < kPieces; ++p) {
      __m512i halves = take_halves(x[0], x[1]);
      memcpy(to + p * piece() + row * kTileBytes, &halves, sizeof(halves));
    }
  }
};

// Weights as [panel][tap][step][piece] tiles.
struct Split {
  alignas(64) uint8_t data[kTogether * kTapsTogether * (kDepth / kLine) * kPieces * kTile];
  int64_t steps;

  int64_t tap() const { return steps * kPieces * kTile; }
  int64_t panel() const { return kTapsTogether * tap(); }
};

template <int R, int C>
void multiply_tiles(const Terms& terms, const Laid& laid, int64_t row, const Split& split,
                    const Panels& panels, bool first, float* sums) {
  float* to[] = {sums, sums + panels.sum_step, sums + kTile / 4,
                 sums + panels.sum_step + kTile / 4};
  first ? clear_tile<0>() : load_tile<0>(to[0], kTileBytes);
  if constexpr (C == 2) first ? clear_tile<1>() : load_tile<1>(to[1], kTileBytes);
  if constexpr (R == 2) first ? clear_tile<2>() : load_tile<2>(to[2], kTileBytes);
  if constexpr (R == 2 && C == 2) first ? clear_tile<3>() : load_tile<3>(to[3], kTileBytes);
  for (int64_t tap = 0; tap < terms.taps; ++tap)
    for (int64_t s = 0; s < split.steps; ++s) {
      const uint8_t* x = laid.at(row + tap * terms.x_step) + s * kPieces * laid.piece();
      const uint8_t* w = split.data + tap * split.tap() + s * kPieces * kTile;
      multiply_step<FloatTiles, R, C>({x, laid.piece(), kTile}, {w, kTile, split.panel()});
    }
  store_tile<0>(to[0], kTileBytes);
  if constexpr (C == 2) store_tile<1>(to[1], kTileBytes);
  if constexpr (R == 2) store_tile<2>(to[2], kTileBytes);
  if constexpr (R == 2 && C == 2) store_tile<3>(to[3], kTileBytes);
}

// sums[r][:] += terms of the laid rows from `row` on times 1 or 2 panels, for up to kTapsTogether
// taps; `first` starts from zero. Rows are computed up to a whole tile: both buffers have room.
inline void multiply_taps(const Terms& terms, const Laid& laid, int64_t row, int64_t rows,
                          const Panels& panels, int64_t count, bool first) {
  Split split;
  split.steps = ceil_div(terms.depth, kLine);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t tap = 0; tap < terms.taps; ++tap)
      split_panel<kPieces>(panels.weights + i * panels.weight_step + tap * terms.weight_step,
                           terms.depth, split.data + i * split.panel() + tap * split.tap());
  for (int64_t r = 0; r < rows; r += 2 * kTileRows) {
    float* sums = panels.sums + r * kPanel;
    bool two = rows - r > kTileRows;
    if (two && count == 2)
      multiply_tiles<2, 2>(terms, laid, row + r, split, panels, first, sums);
    else if (two)
      multiply_tiles<2, 1>(terms, laid, row + r, split, panels, first, sums);
    else if (count == 2)
      multiply_tiles<1, 2>(terms, laid, row + r, split, panels, first, sums);
    else
      multiply_tiles<1, 1>(terms, laid, row + r, split, panels, first, sums);
  }
}

inline void multiply_rows(const Terms& terms, const Laid& laid, int64_t row, int64_t rows,
                          Panels panels, int64_t count, bool first) {
  for (int64_t tap = 0; tap < terms.taps; tap += kTapsTogether) {
    Terms some = terms;
    some.taps = smaller(kTapsTogether, terms.taps - tap);
    multiply_taps(some, laid, row + tap * terms.x_step, rows, panels, count, first && tap == 0);
    panels.weights += kTapsTogether * terms.weight_step;
  }
}

using ProductScope = TileScope;  // what a chunk needs to multiply

}  // namespace
}  // namespace omni::OMNI_ISA
