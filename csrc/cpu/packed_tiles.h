// Products with packed weights by the matrix registers: a block of rows is laid out as tiles once,
// for every core, then each core multiplies it with columns of its own.
#pragma once

#ifdef __AMX_TILE__

#include "cpu/packed_bytes.h"
#include "cpu/tile_step.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kPairSide = 2 * kTileSide;  // rows, and columns, of a product of 2 x 2 tiles
constexpr int64_t kLaidTiles = 3 << 9;    // of a block of rows: they stay in the L2
constexpr int64_t kLaidRows = 1024;       // at most
constexpr int kChunksPerCore = 4;

// Fetches memory into the L2, a share each time.
struct Fetch {
  const uint8_t* data;
  int64_t bytes, share;

  void some() {
    for (int64_t i = 0; i < share && bytes > 0; i += 64, bytes -= 64, data += 64)
      __builtin_prefetch(data, 0, 2);
  }
};

// sums[r][c] of 16 R rows and 16 C columns, rows of kPairSide numbers.
template <class Kind, int R, int C>
void multiply_tiles(const uint8_t* x, const uint8_t* w, int64_t next_w, int64_t steps, Fetch& fetch,
                    void* sums) {
  clear_tile<0>(), clear_tile<1>(), clear_tile<2>(), clear_tile<3>();
  int64_t next_x = steps * Kind::kX * kTile;
  Fetch own = fetch;  // in registers
  for (int64_t s = 0; s < steps; ++s) {
    own.some();
    multiply_step<Kind, R, C>({x + s * Kind::kX * kTile, kTile, next_x},
                              {w + s * Kind::kW * kTile, kTile, next_w});
  }
  fetch = own;
  constexpr int64_t row = kPairSide * 4;
  auto* to = static_cast<uint8_t*>(sums);
  store_tile<0>(to, row);
  if constexpr (C == 2) store_tile<1>(to + kTileBytes, row);
  if constexpr (R == 2) store_tile<2>(to + kTileSide * row, row);
  if constexpr (R == 2 && C == 2) store_tile<3>(to + kTileSide * row + kTileBytes, row);
}

// A block of rows times a weight. Rows lie as [tile of rows][step][piece] in `laid`.
template <class Kind>
class TileProduct {
 public:
  static constexpr bool kBytes = Kind::kInputs == 64;

  TileProduct(const float* x, int64_t rows, const PackedWeight& weight, uint8_t* laid)
      : x_(x), weight_(weight), laid_(laid), rows_(rows) {}

  // Inputs that are summed at once; an int8 row has one scale for all of them.
  static int64_t slice(int64_t k) { return kBytes ? k : smaller(k, kSlice); }
  static int64_t most_rows(int64_t k) {
    int64_t tiles = kLaidTiles / (ceil_div(slice(k), Kind::kInputs) * Kind::kX);
    return smaller(kLaidRows, tiles / 2 * kPairSide);
  }

  // Calls put(sums) with every row's products of inputs [input, input + slice).
  template <class Put>
  void run(int64_t input, Team& team, Put&& put) {
    input_ = input;
    depth_ = smaller(slice(weight_.k), weight_.k - input);
    steps_ = ceil_div(depth_, Kind::kInputs);
    team.run(static_cast<int>(ceil_div(rows_, kTileSide)), [&](int chunk) { lay(chunk); });
    int64_t pairs = ceil_div(weight_.n, kPairSide);
    int64_t each = larger(1, pairs / (kChunksPerCore * team.cores()));
    team.run(static_cast<int>(ceil_div(pairs, each)), [&](int chunk) {
      TileScope tiles;
      for (int64_t p = chunk * each; p < smaller(pairs, (chunk + 1) * each); ++p)
        columns(p * kPairSide, put);
    });
  }

 private:
  void lay(int64_t tile) {
    for (int64_t r = 0; r < kTileSide; ++r) {
      int64_t row = tile * kTileSide + r;
      uint8_t* to = laid_ + tile * steps_ * Kind::kX * kTile + r * kTileBytes;
      if (row >= rows_)
        for (int64_t s = 0; s < steps_ * Kind::kX; ++s) memset(to + s * kTile, 0, kTileBytes);
      else if constexpr (kBytes)
        scales_[row] = quantize_row(x_ + row * weight_.k, weight_.k, to, kTile);
      else
        split_row<Kind::kX>(x_ + row * weight_.k + input_, depth_, to, kTile);
    }
  }

  // All rows of up to kPairSide columns.
  template <class Put>
  void columns(int64_t col, Put&& put) const {
    alignas(64) uint8_t split[Kind::kW == 1 ? 1 : 2 * kSlice / Kind::kInputs * Kind::kW * kTile];
    int64_t count = smaller(kPairSide, weight_.n - col), panels = ceil_div(count, kTileSide);
    const uint8_t* w = panel(col);
    Fetch fetch = {panel(col + kPairSide), 0, 0};
    if constexpr (Kind::kW > 1) {
      for (int64_t p = 0; p < panels; ++p)
        split_panel<Kind::kW>(reinterpret_cast<const float*>(panel(col + p * kTileSide)), depth_,
                              split + p * steps_ * Kind::kW * kTile);
      w = split;
    } else if (col + kPairSide < weight_.n) {
      fetch.bytes = smaller(2, ceil_div(weight_.n - col - kPairSide, kTileSide)) * steps_ * kTile;
      fetch.share = ceil_div(2 * kTile, ceil_div(rows_, kPairSide));
    }
    for (int64_t row = 0; row < rows_; row += kPairSide) block(row, col, panels, w, fetch, put);
  }

  // The panel of a column, from this slice's first input on.
  const uint8_t* panel(int64_t col) const {
    int64_t size = kBytes ? 1 : Kind::kW == 1 ? 2 : 4;
    int64_t inputs = packed_inputs(weight_.dtype, weight_.k);
    return static_cast<const uint8_t*>(weight_.data) + (col * inputs + input_ * kTileSide) * size;
  }

  template <class Put>
  void block(int64_t row, int64_t col, int64_t panels, const uint8_t* w, Fetch& fetch,
             Put&& put) const {
    alignas(64) float sums[kPairSide * kPairSide];
    const uint8_t* x = laid_ + row / kTileSide * steps_ * Kind::kX * kTile;
    int64_t next = Kind::kW > 1 ? steps_ * Kind::kW * kTile : panel(kTileSide) - panel(0);
    bool two = rows_ - row > kTileSide;
    if (two && panels == 2) multiply_tiles<Kind, 2, 2>(x, w, next, steps_, fetch, sums);
    if (two && panels == 1) multiply_tiles<Kind, 2, 1>(x, w, next, steps_, fetch, sums);
    if (!two && panels == 2) multiply_tiles<Kind, 1, 2>(x, w, next, steps_, fetch, sums);
    if (!two && panels == 1) multiply_tiles<Kind, 1, 1>(x, w, next, steps_, fetch, sums);
    int64_t cols = smaller(kPairSide, weight_.n - col);
    for (int64_t r = row; r < smaller(rows_, row + kPairSide); ++r) {
      float* from = sums + (r - row) * kPairSide;
      if constexpr (kBytes)
        rescale(reinterpret_cast<int32_t*>(from), scales_[r], weight_, col, cols, from);
      put(Sums{from, r, col, cols, input_ == 0, input_ + depth_ == weight_.k});
    }
  }

  const float* x_;
  const PackedWeight& weight_;
  uint8_t* laid_;
  int64_t rows_, input_ = 0, depth_ = 0, steps_ = 0;
  RowScale scales_[kLaidRows];
};

// As packed_product, with all rows, all columns and all cores.
template <class Kind, class Put>
void tile_product(const float* x, int64_t rows, const PackedWeight& weight, Team& team, Put&& put) {
  alignas(64) uint8_t laid[kLaidTiles * kTile];
  int64_t most = TileProduct<Kind>::most_rows(weight.k);
  int64_t block = ceil_div(ceil_div(rows, larger(1, ceil_div(rows, most))), kPairSide) * kPairSide;
  for (int64_t row = 0; row < rows; row += block) {
    TileProduct<Kind> product(x + row * weight.k, smaller(block, rows - row), weight, laid);
    for (int64_t i = 0; i < weight.k; i += TileProduct<Kind>::slice(weight.k))
      product.run(i, team, [&](const Sums& sums) {
        Sums found = sums;
        found.row += row;
        put(found);
      });
  }
}

}  // namespace
}  // namespace omni::OMNI_ISA

#endif
