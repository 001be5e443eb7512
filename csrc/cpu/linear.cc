#include "cpu/gemm.h"
#include "cpu/gemm_tiles.h"
#include "cpu/gemv.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kGemvRows = 8;  // more rows than this are worth packing weights for
constexpr int64_t kMinRows = 72, kMaxRows = 1536;  // of a chunk
constexpr int64_t kGemvChunkBytes = 1 << 18;       // of weights: ten microseconds of reading

void add_bias(const Linear& a, int64_t row, int64_t row_end, int64_t col, int64_t col_end) {
  if (a.bias.data == nullptr) return;
  with_type(a.bias.data, a.bias.dtype, [&](auto* bias) {
    for (int64_t r = row; r < row_end; ++r)
      sweep(col_end - col, [&](int64_t i, auto lanes) {
        float* out = a.out + r * a.n + col + i;
        store(out, load(out, lanes) + load(bias + col + i, lanes), lanes);
      });
  });
}

template <class T>
void gemv(const Linear& a, const T* weight, Team& team) {
  int64_t row_bytes = larger(1, a.k * static_cast<int64_t>(sizeof(T)));
  int64_t block = larger(8, kGemvChunkBytes / row_bytes / 24 * 24);
  team.run(static_cast<int>(ceil_div(a.n, block)), [&](int chunk) {
    int64_t first = chunk * block, last = smaller(a.n, first + block);
    gemv_block(a, weight, first, last);
    add_bias(a, 0, a.rows, first, last);
  });
}

// Rows that share a packed block before it is packed again: many, but chunks for every core.
int64_t rows_of_chunk(const Linear& a, int64_t across, int cores) {
  int64_t down = larger(ceil_div(a.rows, kMaxRows), ceil_div(4 * cores, across));
  int64_t rows = larger(kMinRows, ceil_div(a.rows, down));
  return ceil_div(rows, kBlockRows) * kBlockRows;
}

template <class T>
void gemm(const Linear& a, const T* weight, Team& team) {
  int64_t across = ceil_div(a.n, kCols), rows = rows_of_chunk(a, across, team.cores());
  team.run(static_cast<int>(across * ceil_div(a.rows, rows)), [&](int chunk) {
    int64_t row = chunk / across * rows, row_end = smaller(a.rows, row + rows);
    int64_t col = chunk % across * kCols, col_end = smaller(a.n, col + kCols);
    gemm_block(a, weight, row, row_end, col, col_end);
    add_bias(a, row, row_end, col, col_end);
  });
}

#ifdef __AMX_TILE__
void gemm(const Linear& a, const bf16*, Team& team) {
  const int64_t down = ceil_div(a.rows, kChunkRows);
  const int64_t rows = ceil_div(ceil_div(a.rows, down), kPairSide) * kPairSide;
  const int64_t enough = ceil_div(2 * team.cores(), down);
  const int64_t cols =
      smaller(kChunkOutputs, ceil_div(ceil_div(a.n, enough), kPairSide) * kPairSide);
  const int64_t across = ceil_div(a.n, cols);
  team.run(static_cast<int>(across * ceil_div(a.rows, rows)), [&](int chunk) {
    const int64_t row = chunk / across * rows, row_end = smaller(a.rows, row + rows);
    const int64_t col = chunk % across * cols, col_end = smaller(a.n, col + cols);
    SquareChunk(a, row, row_end - row, col, col_end - col).run();
    add_bias(a, row, row_end, col, col_end);
  });
}
#endif

}  // namespace

void linear(const Linear& a, Team& team) {
  with_type(a.weight.data, a.weight.dtype, [&](auto* weight) {
    if (a.rows <= kGemvRows)
      gemv(a, weight, team);
    else
      gemm(a, weight, team);
  });
}

}  // namespace omni::OMNI_ISA
