#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t whole_vectors(int64_t n) { return ceil_div(n, kLanes) * kLanes; }

// One head of one guidance row.
struct Head {
  const FlowAttention& a;
  int64_t row, index;

  // Frame f of q (part 0), k (1) or v (2): [dim].
  const float* at(int64_t part, int64_t f) const {
    return a.qkv + (((f * a.rows + row) * 3 + part) * a.heads + index) * a.dim;
  }

  // Frame f of the cached block's keys (part 0) or values (1): [dim].
  float* cached(int64_t part, int64_t f) const {
    int64_t block = ((a.state->evaluation * a.layers + a.layer) * 2 + part) * a.rows + row;
    return a.state->cache + ((block * a.block + f) * a.heads + index) * a.dim;
  }
};

// The queries of one block, one a lane, and what they see, gathered so that rows lie together:
// frames of qkv are a multiple of 4 KiB apart and would share a set of the L1 cache.
struct Block {
  alignas(64) float queries[kMaxHeadDim * kMaxFlowBlock];   // [dim, lanes], scaled
  alignas(64) float keys[kMaxFlowSpan * kMaxHeadDim];       // [seen, dim]
  alignas(64) float values[kMaxFlowSpan * kMaxHeadDim];     // [seen, width]
  alignas(64) float weights[kMaxFlowSpan * kMaxFlowBlock];  // [seen, lanes]
  alignas(64) float out[kMaxFlowBlock * kMaxHeadDim];       // [count, width], not yet normalised
  alignas(64) float total[kMaxFlowBlock];                   // of a query's weights: [lanes]
  int64_t first, count;                                     // the queries' frames
  int64_t lanes, width;                                     // count and dim as whole vectors
  int64_t seen;                                             // keys
};

// out[r][:] = sum over k of x[r * row + k * step] * y[k * stride ..], R rows of W vectors.
template <int R, int W>
void tile(const float* x, int64_t row, int64_t step, const float* y, int64_t stride, int64_t depth,
          float* out, int64_t out_stride) {
  Vec acc[R][W] = {};
  for (int64_t k = 0; k < depth; ++k)
    for (int r = 0; r < R; ++r) {
      Vec factor = splat(x[r * row + k * step]);
      for (int w = 0; w < W; ++w)
        acc[r][w] = multiply_add(factor, load(y + k * stride + w * kLanes), acc[r][w]);
    }
  for (int r = 0; r < R; ++r)
    for (int w = 0; w < W; ++w) store(out + r * out_stride + w * kLanes, acc[r][w]);
}

// Sums of one tile: as many as the registers of the instruction set hold.
constexpr int kWide = kLanes == 16 ? 4 : 3;
constexpr int kTall = kLanes == 16 ? 6 : 4;

template <int W>
void tiles(int64_t rows, const float* x, int64_t row, int64_t step, const float* y, int64_t stride,
           int64_t depth, float* out) {
  int64_t r = 0;
  for (; r + kTall <= rows; r += kTall)
    tile<kTall, W>(x + r * row, row, step, y, stride, depth, out + r * stride, stride);
  for (; r < rows; ++r)
    tile<1, W>(x + r * row, row, step, y, stride, depth, out + r * stride, stride);
}

// out [rows, stride] = x [rows, depth] times y [depth, stride]; stride is whole vectors.
void multiply(int64_t rows, const float* x, int64_t row, int64_t step, const float* y,
              int64_t stride, int64_t depth, float* out) {
  int64_t c = 0;
  for (; c + kWide * kLanes <= stride; c += kWide * kLanes)
    tiles<kWide>(rows, x, row, step, y + c, stride, depth, out + c);
  for (; c + 2 * kLanes <= stride; c += 2 * kLanes)
    tiles<2>(rows, x, row, step, y + c, stride, depth, out + c);
  for (; c < stride; c += kLanes) tiles<1>(rows, x, row, step, y + c, stride, depth, out + c);
}

// Neighbouring pairs (x0, x1), (x2, x3), ... as complex numbers, times cos + i sin of frame f.
void rotate(const FlowAttention& a, const float* x, int64_t f, float* out) {
  const float* cos = a.cos + f * (a.dim / 2);
  const float* sin = a.sin + f * (a.dim / 2);
  for (int64_t i = 0; i < a.dim / 2; ++i) {
    float even = x[2 * i], odd = x[2 * i + 1];
    out[2 * i] = even * cos[i] - odd * sin[i];
    out[2 * i + 1] = odd * cos[i] + even * sin[i];
  }
}

// Frame f of q (part 0) or k (1) as attention takes it; the first head alone is rotated.
void turn(const Head& head, int64_t part, int64_t f, float* out) {
  if (head.index == 0)
    rotate(head.a, head.at(part, f), f, out);
  else
    memcpy(out, head.at(part, f), head.a.dim * sizeof(float));
}

void load_queries(const Head& head, Block& block) {
  int64_t dim = head.a.dim;
  float scale = 1.f / sqrtf(static_cast<float>(dim)), query[kMaxHeadDim];
  memset(block.queries, 0, dim * block.lanes * sizeof(float));
  for (int64_t p = 0; p < block.count; ++p) {
    turn(head, 0, block.first + p, query);
    for (int64_t i = 0; i < dim; ++i) block.queries[i * block.lanes + p] = query[i] * scale;
  }
}

void load_value(const float* value, int64_t dim, float* to) {
  sweep(dim, [&](int64_t i, auto lanes) { store(to + i, load(value + i, lanes)); });
}

void see_cached(const Head& head, Block& block) {
  for (int64_t f = 0; f < head.a.block; ++f, ++block.seen) {
    int64_t dim = head.a.dim;
    memcpy(block.keys + block.seen * dim, head.cached(0, f), dim * sizeof(float));
    load_value(head.cached(1, f), dim, block.values + block.seen * block.width);
  }
}

void see(const Head& head, int64_t first, int64_t end, Block& block) {
  for (int64_t f = first; f < end; ++f, ++block.seen) {
    turn(head, 1, f, block.keys + block.seen * head.a.dim);
    load_value(head.at(2, f), head.a.dim, block.values + block.seen * block.width);
  }
}

// Weights below e^-60 count for nothing, and products with them are no slow subnormal numbers.
constexpr float kLowest = -60;

// Scores become exp(score - the query's largest).
void weigh(Block& block) {
  for (int64_t p = 0; p < block.lanes; p += kLanes) {
    float* weights = block.weights + p;
    Vec top = load(weights), total{};
    for (int64_t t = 1; t < block.seen; ++t) top = max(top, load(weights + t * block.lanes));
    for (int64_t t = 0; t < block.seen; ++t) {
      Vec score = load(weights + t * block.lanes) - top;
      Vec weight = exp(max(splat(kLowest), score));  // a NaN stays one
      store(weights + t * block.lanes, weight);
      total += weight;
    }
    store(block.total + p, total);
  }
}

void attend(const Head& head, int64_t index, Block& block) {
  const FlowAttention& a = head.a;
  int64_t frames = a.state->frames;
  block.first = index * a.block;
  block.count = smaller(a.block, frames - block.first);
  block.lanes = whole_vectors(block.count);
  block.width = whole_vectors(a.dim);
  block.seen = 0;
  load_queries(head, block);
  if (a.layer >= 0 && a.state->left && index < a.back) see_cached(head, block);
  see(head, larger(0, index - a.back) * a.block, smaller(frames, (index + a.ahead + 1) * a.block),
      block);
  multiply(block.seen, block.keys, a.dim, 1, block.queries, block.lanes, a.dim, block.weights);
  weigh(block);
  multiply(block.count, block.weights, 1, block.lanes, block.values, block.width, block.seen,
           block.out);
  for (int64_t p = 0; p < block.count; ++p) {
    const float* from = block.out + p * block.width;
    float* out = a.out + (((block.first + p) * a.rows + head.row) * a.heads + head.index) * a.dim;
    float norm = 1.f / block.total[p];
    sweep(a.dim, [&](int64_t i, auto lanes) { store(out + i, load(from + i) * norm, lanes); });
  }
}

// The block that ends at `keep` replaces the cached one.
void save(const Head& head) {
  const FlowAttention& a = head.a;
  for (int64_t f = 0; f < a.block; ++f) {
    int64_t from = a.state->keep - a.block + f;
    turn(head, 1, from, head.cached(0, f));
    memcpy(head.cached(1, f), head.at(2, from), a.dim * sizeof(float));
  }
}

}  // namespace

// A chunk is one head of one row: it alone reads its part of the cache, then overwrites it.
void flow_attention(const FlowAttention& a, Team& team) {
  team.run(static_cast<int>(a.heads * a.rows), [&](int chunk) {
    Head head = {a, chunk % a.rows, chunk / a.rows};
    Block block;
    for (int64_t b = 0; b < ceil_div(a.state->frames, a.block); ++b) attend(head, b, block);
    if (a.layer >= 0 && a.state->keep > 0) save(head);
  });
}

}  // namespace omni::OMNI_ISA
