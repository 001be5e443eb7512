// quant_linear on a machine with tiles.
#ifdef __AMX_TILE__

#include "cpu/quant_tiles.h"

#include "cpu/kernels.h"
#include "cpu/quant_few.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kFewRows = 4;              // so many meet each weight as it is read
constexpr int64_t kFewChunkBytes = 1 << 17;  // of weights: a few microseconds of reading

template <class Format>
void multiply_few(const QuantLinear& a, int64_t panels, Team& team) {
  const int64_t panel_bytes = padded(a.weight.k) * kOutputs * a.weight.bits / 8;
  const int64_t block = larger(1, kFewChunkBytes / panel_bytes);
  team.run(static_cast<int>(ceil_div(panels, block)), [&](int chunk) {
    with_count<kFewRows>(a.rows, [&](auto b) {
      for (int64_t p = chunk * block; p < smaller(panels, (chunk + 1) * block); ++p)
        few_rows<Format, b>(a, p);
    });
  });
}

template <class Format>
void multiply_many(const QuantLinear& a, int64_t panels, Team& team) {
  const int64_t down = ceil_div(a.rows, kChunkRows);
  const int64_t rows = ceil_div(ceil_div(a.rows, down), kTileSide) * kTileSide;
  const int64_t pairs = ceil_div(panels, kPair), enough = ceil_div(2 * team.cores(), down);
  const int64_t block = kPair * larger(1, smaller(kChunkPairs, pairs / enough));
  const int64_t across = ceil_div(panels, block);
  team.run(static_cast<int>(down * across), [&](int chunk) {
    const int64_t row = chunk / across * rows, panel = chunk % across * block;
    TileChunk<Format>(a, row, smaller(rows, a.rows - row), panel, smaller(panels, panel + block))
        .run();
  });
}

template <class Format>
void multiply(const QuantLinear& a, Team& team) {
  const int64_t panels = ceil_div(a.weight.n, kOutputs);
  if (a.rows == 0) return;
  a.rows <= kFewRows ? multiply_few<Format>(a, panels, team)
                     : multiply_many<Format>(a, panels, team);
}

}  // namespace

void quant_linear(const QuantLinear& a, Team& team) {
  team.run(static_cast<int>(a.rows), [&](int row) {
    round_row16(a.x + row * a.weight.k, a.weight, rounded16_row(a.rounded, row, a.weight.k));
  });
  a.weight.bits == 8 ? multiply<Int8>(a, team) : multiply<Int4>(a, team);
}

}  // namespace omni::OMNI_ISA

#endif
