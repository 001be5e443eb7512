#ifndef __AMX_TILE__  // which has its own: quant_tiles.cc

#include "cpu/kernels.h"
#include "cpu/quant_block.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kPanelChunkBytes = 1 << 17;  // of weights: a few microseconds of reading
constexpr int64_t kProductChunk = 26 << 20;    // products of a chunk of many rows

// Few rows: panels are read once, from memory, several at a time.
template <class Format>
void multiply_few(const QuantLinear& a, int64_t panels, Team& team) {
  int64_t panel_bytes = padded(a.weight.k) * kOutputs * a.weight.bits / 8;
  int64_t block = larger(1, kPanelChunkBytes / panel_bytes / kStreams) * kStreams;
  team.run(static_cast<int>(ceil_div(panels, block)), [&](int chunk) {
    int64_t panel = chunk * block, end = smaller(panels, panel + block);
    with_count<kFewRows>(a.rows, [&](auto b) {
      constexpr int kPanels = kStreams / b;
      for (; panel + kPanels <= end; panel += kPanels) few_rows<Format, b, kPanels>(a, panel);
      for (; panel < end; ++panel) few_rows<Format, b, 1>(a, panel);
    });
  });
}

template <class Format>
void multiply_many(const QuantLinear& a, int64_t panels, Team& team) {
  int64_t most = larger(4, kRowBytes / padded(a.weight.k) / Format::kTile) * Format::kTile;
  int64_t rows = smaller(smaller(most, kRowBlock), a.rows), down = ceil_div(a.rows, rows);
  int64_t block = larger(1, kProductChunk / (rows * padded(a.weight.k) * kOutputs));
  block = smaller(block, larger(1, panels * down / (2 * team.cores())));
  int64_t across = ceil_div(panels, block);
  team.run(static_cast<int>(down * across), [&](int chunk) {
    int64_t row = chunk / across * rows, first = chunk % across * block;
    for (int64_t panel = first; panel < smaller(panels, first + block); ++panel)
      many_rows<Format>(a, panel, row, smaller(a.rows, row + rows));
  });
}

template <class Format>
void multiply(const QuantLinear& a, Team& team) {
  int64_t panels = ceil_div(a.weight.n, kOutputs);
  if (a.rows == 0) return;
  a.rows <= kFewRows ? multiply_few<Format>(a, panels, team)
                     : multiply_many<Format>(a, panels, team);
}

}  // namespace

void quant_linear(const QuantLinear& a, Team& team) {
  team.run(static_cast<int>(a.rows), [&](int row) {
    round_row(a.x + row * a.weight.k, a.weight, rounded_row(a.rounded, row, a.weight.k));
  });
  a.weight.bits == 8 ? multiply<Int8>(a, team) : multiply<Int4>(a, team);
}

}  // namespace omni::OMNI_ISA

#endif
