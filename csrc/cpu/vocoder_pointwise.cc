#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kBlock = 1 << 15;

// Calls body(i, lanes) for every vector of the span's elements, counted from the span's first, in
// parallel blocks.
template <class F>
void over_span(Team& team, const Span& span, int64_t channels, F&& body) {
  int64_t n = span.rows * channels;
  team.run(static_cast<int>(ceil_div(n, kBlock)), [&](int chunk) {
    int64_t start = chunk * kBlock;
    sweep(smaller(kBlock, n - start), [&](int64_t i, auto lanes) { body(start + i, lanes); });
  });
}

}  // namespace

void vocoder_mean(const VocoderMean& a, Team& team) {
  int64_t first = a.span->first * a.channels;
  over_span(team, *a.span, a.channels, [&](int64_t i, auto lanes) {
    Vec sum = load(a.parts[0] + first + i, lanes);
    for (int64_t p = 1; p < a.count; ++p) sum += load(a.parts[p] + first + i, lanes);
    store(a.out + i, sum / static_cast<float>(a.count), lanes);
  });
}

void vocoder_clamp(const VocoderClamp& a, Team& team) {
  const float* x = a.x + a.span->first * a.channels;
  over_span(team, *a.span, a.channels, [&](int64_t i, auto lanes) {
    Vec value = load(x + i, lanes) * a.scale + a.shift;
    value = value < -1.f ? splat(-1.f) : value;
    store(a.out + i, value > 1.f ? splat(1.f) : value, lanes);
  });
}

}  // namespace omni::OMNI_ISA
