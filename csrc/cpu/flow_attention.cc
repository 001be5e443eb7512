#include "cpu/tiles.h"

namespace omni::OMNI_ISA {
namespace {

static_assert(kMaxFlowBlock <= kTile && kMaxFlowBlock <= kQueries);

// One head of one guidance row.
struct Head {
  const FlowAttention& a;
  int64_t row, index;

  // Frame f of q (part 0), k (1) or v (2): [dim].
  const float* at(int64_t part, int64_t f) const {
    return a.qkv + (((f * a.rows + row) * 3 + part) * a.heads + index) * a.dim;
  }
  int64_t stride() const { return a.rows * 3 * a.heads * a.dim; }  // from frame to frame

  // The cached block's keys (part 0) or values (1): [block, heads, dim] from this head on.
  float* cached(int64_t part) const {
    int64_t outer = (a.state->evaluation * a.layers + a.layer) * 2 + part;
    return a.state->cache + (((outer * a.rows + row) * a.block) * a.heads + index) * a.dim;
  }
};

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

// Frames [first, end) of q (part 0) or k (1) as attention takes them, to rows `stride` apart.
void turn(const Head& head, int64_t part, int64_t first, int64_t end, float* out, int64_t stride) {
  for (int64_t f = first; f < end; ++f, out += stride) {
    if (head.index == 0)
      rotate(head.a, head.at(part, f), f, out);
    else
      memcpy(out, head.at(part, f), head.a.dim * sizeof(float));
  }
}

// Lets the queries of `tiles` see the frames [first, end).
void see(Tiles& tiles, const Head& head, int64_t first, int64_t end) {
  alignas(64) float keys[kMaxFlowBlock * kMaxHeadDim];  // strided ones would share a cache set
  turn(head, 1, first, end, keys, tiles.dim);
  load_keys(tiles, keys, tiles.dim, end - first);
  load_values(tiles, head.at(2, first), head.stride(), end - first);
  fold_tile(tiles, end - first, [&](int64_t) { return end - first; });
}

void see_cached(Tiles& tiles, const Head& head) {
  int64_t stride = head.a.heads * head.a.dim, count = head.a.block;
  load_keys(tiles, head.cached(0), stride, count);
  load_values(tiles, head.cached(1), stride, count);
  fold_tile(tiles, count, [&](int64_t) { return count; });
}

void attend_block(Tiles& tiles, const Head& head, int64_t index) {
  const FlowAttention& a = head.a;
  int64_t frames = a.state->frames, first = index * a.block;
  int64_t end = smaller(frames, first + a.block);
  begin_queries(tiles, end - first, a.dim);
  for (int64_t f = first; f < end; ++f) {
    float query[kMaxHeadDim];
    turn(head, 0, f, f + 1, query, a.dim);
    load_query(tiles, f - first, query);
  }
  if (a.layer >= 0 && a.state->left && index < a.back) see_cached(tiles, head);
  int64_t blocks = smaller(ceil_div(frames, a.block), index + a.ahead + 1);
  for (int64_t b = larger(0, index - a.back); b < blocks; ++b)
    see(tiles, head, b * a.block, smaller(frames, (b + 1) * a.block));
  for (int64_t f = first; f < end; ++f)
    store_result(tiles, f - first,
                 a.out + ((f * a.rows + head.row) * a.heads + head.index) * a.dim);
}

// The block that ends at `keep` replaces the cached one.
void save(const Head& head) {
  const FlowAttention& a = head.a;
  int64_t keep = a.state->keep, stride = a.heads * a.dim;
  turn(head, 1, keep - a.block, keep, head.cached(0), stride);
  for (int64_t f = 0; f < a.block; ++f)
    memcpy(head.cached(1) + f * stride, head.at(2, keep - a.block + f), a.dim * sizeof(float));
}

}  // namespace

// A chunk is one head of one row: it alone reads its part of the cache, then overwrites it.
void flow_attention(const FlowAttention& a, Team& team) {
  team.run(static_cast<int>(a.heads * a.rows), [&](int chunk) {
    Head head = {a, chunk % a.rows, chunk / a.rows};
    Tiles tiles;
    for (int64_t b = 0; b < ceil_div(a.state->frames, a.block); ++b) attend_block(tiles, head, b);
    if (a.layer >= 0 && a.state->keep > 0) save(head);
  });
}

}  // namespace omni::OMNI_ISA
