#include "cpu/gelu.h"
#include "cpu/kernels.h"
#include "cpu/packed_bytes.h"
#include "cpu/packed_gemm.h"
#include "cpu/packed_tiles.h"

namespace omni::OMNI_ISA {
namespace {

#ifdef __AMX_TILE__

template <class Put>
void product(const float* x, int64_t rows, const PackedWeight& w, Team& team, Put&& put) {
  if (w.dtype == DType::i8) return tile_product<ByteTiles>(x, rows, w, team, put);
  if (w.dtype == DType::bf16) return tile_product<HalfTiles>(x, rows, w, team, put);
  tile_product<FloatTiles>(x, rows, w, team, put);
}

#else

constexpr int64_t kChunk = 26 << 20;      // products of a float32 chunk: half a millisecond
constexpr int64_t kByteChunk = 56 << 20;  // of an int8 chunk

// How rows x n outputs are cut. Neighbouring chunks share weights.
struct Cut {
  int64_t rows, cols, down, across;
};

Cut cut(int64_t rows, const PackedWeight& weight, int cores) {
  Cut parts;
  int64_t most = ceil_div(rows, kBlockRows);
  parts.rows = ceil_div(ceil_div(rows, larger(1, most)), kPanelRows) * kPanelRows;
  parts.down = rows == 0 ? 0 : ceil_div(rows, parts.rows);
  int64_t products = weight.dtype == DType::i8 ? kByteChunk : kChunk;
  int64_t cols = products / larger(1, parts.rows * weight.k);
  int64_t enough = ceil_div(2 * cores, larger(1, parts.down));  // chunks for every core
  cols = larger(kPanelCols, smaller(cols, ceil_div(weight.n, enough)));
  parts.across = ceil_div(weight.n, cols);
  parts.cols = ceil_div(ceil_div(weight.n, parts.across), kPanelCols) * kPanelCols;
  parts.across = ceil_div(weight.n, parts.cols);
  return parts;
}

template <class Put>
void product(const float* x, int64_t rows, const PackedWeight& w, Team& team, Put&& put) {
  Cut parts = cut(rows, w, team.cores());
  team.run(static_cast<int>(parts.down * parts.across), [&](int chunk) {
    int64_t row = chunk % parts.down * parts.rows, col = chunk / parts.down * parts.cols;
    int64_t count = smaller(parts.rows, rows - row), end = smaller(w.n, col + parts.cols);
    const float* from = x + row * w.k;
    auto take = [&](Sums sums) {
      sums.row += row;
      put(sums);
    };
    if (w.dtype == DType::i8) return packed_byte_product(from, count, w, col, end, take);
    with_type(w.data, w.dtype, [&](auto* data) {
      Panels panels{data, w.n, w.k, packed_inputs(w.dtype, w.k)};
      packed_product(from, w.k, count, panels, col, end, take);
    });
  });
}

#endif

// Calls put(out, sums, at, lanes) for vectors of the product of x with the weight: `out` is where
// they belong, `at` the column.
template <class Args, class Put>
void live_product(const Args& a, Team& team, Put&& put) {
  product(a.x, a.state->frames * a.rows, a.weight, team, [&](const Sums& sums) {
    float* out = a.out + sums.row * a.weight.n;
    sweep(sums.cols, [&](int64_t i, auto lanes) {
      int64_t at = sums.col + i;
      Vec value = load(sums.data + i, lanes);
      if (sums.first && a.bias != nullptr) value += load(a.bias + at, lanes);
      put(out + at, value, sums, at, lanes);
    });
  });
}

}  // namespace

void flow_linear(const FlowLinear& a, Team& team) {
  live_product(a, team, [&](float* out, Vec value, const Sums& sums, int64_t, auto lanes) {
    if (!sums.first) value += load(out, lanes);
    store(out, a.gelu && sums.last ? gelu_tanh(value) : value, lanes);
  });
}

void flow_gated_linear(const FlowGatedLinear& a, Team& team) {
  int64_t row = a.state->evaluation * a.table_rows + a.gate;
  const float* gate = a.state->table + row * a.weight.n;
  live_product(a, team, [&](float* out, Vec value, const Sums&, int64_t at, auto lanes) {
    store(out, load(out, lanes) + load(gate + at, lanes) * value, lanes);
  });
}

}  // namespace omni::OMNI_ISA
