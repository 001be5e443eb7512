// Softmax over a sequence that arrives in tiles (online softmax, arXiv 1805.02867).
#pragma once

#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr float kNoScore = -__builtin_inff();

struct Running {
  float top = kNoScore;  // largest score so far
  float total = 0;       // of exp(score - top)
};

// Turns a tile of scores into exp(score - top) and returns the factor that rescales what was summed
// before this tile.
inline float take_tile(Running& state, float* scores, int64_t count) {
  Vec tops = splat(kNoScore);
  sweep(count, [&](int64_t t, auto lanes) { tops = max(load(scores + t, lanes, kNoScore), tops); });
  float top = fmaxf(state.top, largest(tops));
  float factor = expf(state.top - top);
  Vec total{};
  sweep(count, [&](int64_t t, auto lanes) {
    store(scores + t, exp(load(scores + t, lanes) - top), lanes);
  });
  sweep(count, [&](int64_t t, auto lanes) { total += load(scores + t, lanes); });
  state.total = state.total * factor + sum(total);
  state.top = top;
  return factor;
}

}  // namespace
}  // namespace omni::OMNI_ISA
