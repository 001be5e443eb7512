#include "cpu/cache.h"
#include "cpu/tiles.h"

namespace omni::OMNI_ISA {
namespace {

// Element index of query p of a block of rows: the `group` heads of one row, then the next row.
int64_t query_at(const PrefillAttention& a, int64_t row, int64_t head, int64_t p) {
  int64_t group = a.heads / a.cache.kv_heads;
  return ((row + p / group) * a.heads + head * group + p % group) * a.cache.dim;
}

// Rows [row, row + rows) of the query heads of one key head.
void attend_rows(const PrefillAttention& a, int64_t row, int64_t rows, int64_t head) {
  Tiles tiles;
  const Cache& cache = a.cache;
  int64_t group = a.heads / cache.kv_heads, end = a.start + row + rows;
  begin_queries(tiles, rows * group, cache.dim);
  for (int64_t p = 0; p < tiles.queries; ++p) load_query(tiles, p, a.q + query_at(a, row, head, p));
  for (int64_t t = 0; t < end;) {
    int64_t count = smaller(smaller(kTile, cache.page - t % cache.page), end - t);
    int64_t at = cached_row(cache, 0, t, head);
    with_type(cache.k, cache.dtype, [&](auto* keys) {
      load_keys(tiles, keys + at, cache.dim, count);
      load_values(tiles, static_cast<decltype(keys)>(cache.v) + at, cache.dim, count);
    });
    fold_tile(tiles, count, [&](int64_t p) { return a.start + row + p / group - t + 1; });
    t += count;
  }
  for (int64_t p = 0; p < tiles.queries; ++p)
    store_result(tiles, p, a.out + query_at(a, row, head, p));
}

}  // namespace

void prefill_attention(const PrefillAttention& a, Team& team) {
  int64_t group = a.heads / a.cache.kv_heads;
  int64_t step = larger(1, kQueries / group), blocks = ceil_div(a.rows, step);
  team.run(static_cast<int>(blocks * a.cache.kv_heads), [&](int chunk) {
    int64_t block = blocks - 1 - chunk / a.cache.kv_heads;  // the longest first
    int64_t row = block * step;
    attend_rows(a, row, smaller(step, a.rows - row), chunk % a.cache.kv_heads);
  });
}

}  // namespace omni::OMNI_ISA
