#include "cpu/gelu.h"
#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kBlock = 16384;

// Calls body(i, lanes) for every vector of n elements, in parallel blocks.
template <class F>
void over_vectors(Team& team, int64_t n, F&& body) {
  team.run(static_cast<int>(ceil_div(n, kBlock)), [&](int chunk) {
    int64_t start = chunk * kBlock;
    sweep(smaller(kBlock, n - start), [&](int64_t i, auto lanes) { body(start + i, lanes); });
  });
}

// Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7.
Vec erf(Vec x) {
  Vec magnitude = max(x, -x);
  Vec t = 1.f / (1.f + 0.3275911f * magnitude);
  Vec p = splat(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  Vec value = 1.f - p * t * exp(-x * x);
  return x < 0 ? -value : value;
}

}  // namespace

void silu_mul(const SiluMul& a, Team& team) {
  over_vectors(team, a.count, [&](int64_t i, auto lanes) {
    Vec gate = load(a.gate + i, lanes);
    store(a.out + i, gate / (1.f + exp(-gate)) * load(a.up + i, lanes), lanes);
  });
}

void gelu(const Gelu& a, Team& team) {
  over_vectors(team, a.count, [&](int64_t i, auto lanes) {
    Vec x = load(a.x + i, lanes);
    store(a.out + i, a.tanh ? gelu_tanh(x) : 0.5f * x * (1.f + erf(x * 0.7071067812f)), lanes);
  });
}

}  // namespace omni::OMNI_ISA
