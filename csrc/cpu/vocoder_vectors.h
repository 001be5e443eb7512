// Products of laid out rows by vectors; included by vocoder_block.h.
#pragma once

namespace omni::OMNI_ISA {
namespace {

constexpr int kPanelVecs = kPanel / kLanes;  // 12 sums fill the registers of every machine
constexpr int kTileRows = 12 / kPanelVecs;   // rows that share one read of a panel
constexpr int64_t kTileStep = 12;            // whole tiles on every machine
constexpr int64_t kBlockRows = 7 * 72;       // sums of one panel, over all points or phases
constexpr int64_t kPanels = 6;               // of one block
constexpr int64_t kTogether = 1;             // panels of one product
constexpr int64_t kLine = kLanes;            // channels that are laid out at once

// Numbers of so many rows of a piece of the channels.
constexpr int64_t laid_size(int64_t rows, int64_t depth) { return rows * depth; }

// Rows [row][depth].
struct Laid {
  float* data;
  int64_t rows, depth;

  // Channels [k, k + kLine) of a row.
  void put(int64_t row, int64_t k, const Vec (&x)[1]) const {
    float* to = data + row * depth + k;
    if (depth - k >= kLanes)
      store(to, x[0]);
    else
      store(to, x[0], Part{static_cast<int>(depth - k)});
  }
};

// sums[r][:] += terms of x[r] times the panel, for a tile of rows; `first` starts from zero.
[[gnu::noinline]] void multiply_tile(const Terms& terms, const float* x, const float* weights,
                                     bool first, float* sums) {
  Vec acc[kTileRows][kPanelVecs] = {};
  int64_t tap = 0;
  do {  // at least once: else the compiler keeps a copy of acc in memory
    const float* row = x + tap * terms.x_step * terms.depth;
    const float* panel = weights + tap * terms.weight_step;
    int64_t k = 0;
    do {
      Vec w[kPanelVecs];
      for (int v = 0; v < kPanelVecs; ++v) w[v] = load(panel + k * kPanel + v * kLanes);
      for (int r = 0; r < kTileRows; ++r) {
        Vec value = splat(row[r * terms.depth + k]);
        for (int v = 0; v < kPanelVecs; ++v) acc[r][v] = multiply_add(value, w[v], acc[r][v]);
      }
    } while (++k < terms.depth);
  } while (++tap < terms.taps);
  for (int r = 0; r < kTileRows; ++r)
    for (int v = 0; v < kPanelVecs; ++v) {
      float* to = sums + r * kPanel + v * kLanes;
      store(to, first ? acc[r][v] : acc[r][v] + load(to));
    }
}

// The same for rows [row, row + rows) of what is laid out. Rows are computed up to a whole tile:
// both buffers have room. Meanwhile the weights that are to come are fetched into the cache.
inline void multiply_rows(const Terms& terms, const Laid& laid, int64_t row, int64_t rows,
                          const Panels& panels, int64_t /*count*/, bool first) {
  int64_t share = ceil_div(terms.depth * kTileRows, rows);  // of a tap's weights, per tile
  for (int64_t r = 0, k = 0; r < rows; r += kTileRows, k += share) {
    for (int64_t tap = 0; tap < terms.taps; ++tap)
      for (int64_t i = k; i < k + share; ++i)
        __builtin_prefetch(panels.next + tap * terms.weight_step + i * kPanel);
    multiply_tile(terms, laid.data + (row + r) * terms.depth, panels.weights, first,
                  panels.sums + r * kPanel);
  }
}

struct ProductScope {};  // what a chunk needs to multiply

}  // namespace
}  // namespace omni::OMNI_ISA
