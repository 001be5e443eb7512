#include "cpu/cache.h"
#include "cpu/softmax.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kTile = 64;  // cached rows that are scored together
constexpr int kGroup = 8;      // query heads that share one read of the cache

// scores[g][t] = scale * q[g] . keys[t]
template <int G, class T>
void score_tile(const float* q, const CachedRows<T>& keys, int64_t count, float scale,
                float (&scores)[G][kTile]) {
  int64_t dim = keys.dim;
  for (int64_t t = 0; t < count; ++t) {
    Vec acc[G] = {};
    sweep(dim, [&](int64_t i, auto lanes) {
      Vec key = keys(t, i, lanes);
      for (int g = 0; g < G; ++g) acc[g] += key * load(q + g * dim + i, lanes);
    });
    for (int g = 0; g < G; ++g) scores[g][t] = sum(acc[g]) * scale;
  }
}

// out[g] = out[g] * factor[g] + sum over t of weights[g][t] * values[t]
template <int G, class T>
void blend_tile(const float (&weights)[G][kTile], const float (&factor)[G],
                const CachedRows<T>& values, int64_t count, float* out, int64_t stride) {
  sweep(values.dim, [&](int64_t i, auto lanes) {
    Vec acc[G];
    for (int g = 0; g < G; ++g) acc[g] = load(out + g * stride + i, lanes) * factor[g];
    for (int64_t t = 0; t < count; ++t) {
      Vec value = values(t, i, lanes);
      for (int g = 0; g < G; ++g) acc[g] += weights[g][t] * value;
    }
    for (int g = 0; g < G; ++g) store(out + g * stride + i, acc[g], lanes);
  });
}

// One stretch of one sequence's cache, as seen by the query heads of one key head.
struct Stretch {
  const Cache* cache;
  int64_t slot, head, start, end;
};

// Unnormalised attention of G query heads over a stretch: per head top, total and the sum.
template <int G, class T>
void attend(const Stretch& at, const float* q, float* partial, int64_t stride) {
  const Cache& cache = *at.cache;
  Running state[G];
  for (int g = 0; g < G; ++g) memset(partial + g * stride + 2, 0, cache.dim * sizeof(float));
  float scale = 1.f / sqrtf(static_cast<float>(cache.dim));
  for (int64_t t = at.start; t < at.end;) {
    int64_t left_in_page = cache.page - t % cache.page;
    int64_t count = smaller(smaller(kTile, left_in_page), at.end - t);
    int64_t row = cached_row(cache, at.slot, t, at.head);
    float scores[G][kTile], factor[G];
    score_tile<G>(q, CachedRows<T>(cache, cache.k, row), count, scale, scores);
    for (int g = 0; g < G; ++g) factor[g] = take_tile(state[g], scores[g], count);
    blend_tile<G>(scores, factor, CachedRows<T>(cache, cache.v, row), count, partial + 2, stride);
    t += count;
  }
  for (int g = 0; g < G; ++g) {
    partial[g * stride] = state[g].top;
    partial[g * stride + 1] = state[g].total;
  }
}

template <class T, int G = kGroup>
void attend_group(int64_t heads, const Stretch& at, const float* q, float* partial,
                  int64_t stride) {
  if (heads == G) return attend<G, T>(at, q, partial, stride);
  if constexpr (G > 1) attend_group<T, G - 1>(heads, at, q, partial, stride);
}

// out = the parts' sums, each scaled to the common top, over their common total.
void merge(const float* parts, int64_t count, int64_t dim, float* out) {
  int64_t stride = dim + 2;
  float top = parts[0], total = 0;
  for (int64_t s = 1; s < count; ++s) top = fmaxf(top, parts[s * stride]);
  for (int64_t s = 0; s < count; ++s) {
    const float* part = parts + s * stride;
    float factor = expf(part[0] - top);
    total += part[1] * factor;
    sweep(dim, [&](int64_t i, auto lanes) {
      Vec before = s == 0 ? Vec{} : load(out + i, lanes);
      store(out + i, before + load(part + 2 + i, lanes) * factor, lanes);
    });
  }
  sweep(dim, [&](int64_t i, auto lanes) { store(out + i, load(out + i, lanes) / total, lanes); });
}

int64_t splits_of(const StepState& state) { return ceil_div(state.kv_len + 1, kAttentionSplit); }

}  // namespace

void paged_attention(const PagedAttention& a, Team& team) {
  const Cache& cache = a.cache;
  int64_t group = a.heads / cache.kv_heads, stride = cache.dim + 2, splits = 0;
  for (int64_t b = 0; b < a.batch; ++b) splits = larger(splits, splits_of(a.states[b]));
  team.run(static_cast<int>(a.batch * cache.kv_heads * splits), [&](int chunk) {
    int64_t split = chunk % splits, head = chunk / splits % cache.kv_heads;
    int64_t b = chunk / splits / cache.kv_heads;
    const StepState& state = a.states[b];
    int64_t start = split * kAttentionSplit;
    int64_t end = smaller(start + kAttentionSplit, state.kv_len + 1);
    if (start >= end) return;
    Stretch at = {&cache, state.slot, head, start, end};
    for (int64_t g = 0; g < group; g += kGroup) {
      int64_t row = b * a.heads + head * group + g;
      float* partial = a.partial + (row * a.splits + split) * stride;
      const float* q = a.q + row * cache.dim;
      int64_t heads = smaller(kGroup, group - g);
      with_cached(cache.dtype, [&](auto element) {
        attend_group<decltype(element)>(heads, at, q, partial, a.splits * stride);
      });
    }
  });
  for (int64_t row = 0; row < a.batch * a.heads; ++row)
    merge(a.partial + row * a.splits * stride, splits_of(a.states[row / a.heads]), cache.dim,
          a.out + row * cache.dim);
}

void kv_write(const KvWrite& a, Team& team) {
  const Cache& cache = a.cache;
  team.run(static_cast<int>(ceil_div(a.rows, kTile)), [&](int chunk) {
    int64_t end = smaller(a.rows, (chunk + 1) * kTile);
    for (int64_t r = chunk * kTile; r < end; ++r)
      for (int64_t h = 0; h < cache.kv_heads; ++h) {
        int64_t from = (r * cache.kv_heads + h) * cache.dim;
        int64_t to = cached_row(cache, 0, a.start + r, h);
        put(cache.k, cache.dtype, to, a.k + from, cache.dim);
        put(cache.v, cache.dtype, to, a.v + from, cache.dim);
      }
  });
}

}  // namespace omni::OMNI_ISA
