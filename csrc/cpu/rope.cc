#include "cpu/cache.h"

namespace omni::OMNI_ISA {
namespace {

// (a, b) -> (a cos - b sin, b cos + a sin) for the two halves of one head.
void rotate(const float* x, const float* cos, const float* sin, float* out, int64_t half) {
  sweep(half, [&](int64_t i, auto lanes) {
    Vec a = load(x + i, lanes), b = load(x + half + i, lanes);
    Vec c = load(cos + i, lanes), s = load(sin + i, lanes);
    store(out + i, a * c - b * s, lanes);
    store(out + half + i, b * c + a * s, lanes);
  });
}

constexpr int64_t kRowsPerChunk = 16;

}  // namespace

void rope_angles(const RopeAngles& a, Team& team) {
  team.run(static_cast<int>(ceil_div(a.rows, kRowsPerChunk)), [&](int chunk) {
    int64_t end = smaller(a.rows, (chunk + 1) * kRowsPerChunk);
    for (int64_t r = chunk * kRowsPerChunk; r < end; ++r)
      for (int64_t i = 0; i < a.half; ++i) {
        float angle = static_cast<float>(a.positions[a.axis[i] * a.rows + r]) * a.inv_freq[i];
        a.cos[r * a.half + i] = cosf(angle);
        a.sin[r * a.half + i] = sinf(angle);
      }
  });
}

void state_rope_angles(const StateRopeAngles& a, Team&) {
  for (int64_t b = 0; b < a.batch; ++b)
    for (int64_t i = 0; i < a.half; ++i) {
      float angle = static_cast<float>(a.states[b].position) * a.inv_freq[i];
      a.cos[b * a.half + i] = cosf(angle);
      a.sin[b * a.half + i] = sinf(angle);
    }
}

void rope(const Rope& a, Team& team) {
  team.run(static_cast<int>(ceil_div(a.rows, kRowsPerChunk)), [&](int chunk) {
    int64_t end = smaller(a.rows, (chunk + 1) * kRowsPerChunk);
    for (int64_t r = chunk * kRowsPerChunk; r < end; ++r)
      for (int64_t h = 0; h < a.heads; ++h) {
        int64_t at = (r * a.heads + h) * 2 * a.half;
        rotate(a.x + at, a.cos + r * a.half, a.sin + r * a.half, a.out + at, a.half);
      }
  });
}

void rope_append(const RopeAppend& a, Team&) {
  const Cache& cache = a.cache;
  int64_t dim = cache.dim, half = dim / 2;
  float rotated[kMaxHeadDim];
  for (int64_t b = 0; b < a.batch; ++b) {
    const StepState& state = a.states[b];
    const float* cos = a.cos + b * half;
    const float* sin = a.sin + b * half;
    for (int64_t h = 0; h < cache.kv_heads; ++h) {
      int64_t from = (b * cache.kv_heads + h) * dim;
      int64_t to = cached_row(cache, state.slot, state.kv_len, h);
      rotate(a.k + from, cos, sin, rotated, half);
      put(cache.k, cache.dtype, to, rotated, dim);
      put(cache.v, cache.dtype, to, a.v + from, dim);
    }
    for (int64_t h = 0; h < a.heads; ++h) {
      int64_t at = (b * a.heads + h) * dim;
      rotate(a.q + at, cos, sin, a.out + at, half);
    }
  }
}

}  // namespace omni::OMNI_ISA
