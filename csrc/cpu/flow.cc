#include "cpu/kernels.h"
#include "cpu/philox.h"
#include "cpu/rows.h"

namespace omni::OMNI_ISA {
namespace {

void add(const float* a, const float* b, float* out, int64_t n) {
  sweep(n, [&](int64_t i, auto lanes) {
    store(out + i, load(a + i, lanes) + load(b + i, lanes), lanes);
  });
}

}  // namespace

void flow_noise(const FlowNoise& a, Team& team) {
  team.run(a.state->frames, [&](int f) {
    normal_row(a.state->seed, static_cast<uint32_t>(a.state->start + f), a.out + f * a.channels,
               a.channels);
  });
}

void flow_input(const FlowInput& a, Team& team) {
  const FlowState& state = *a.state;
  int64_t n = a.channels;
  over_rows(team, state.frames, a.rows * n, [&](int64_t f) {
    const float* base = a.base + f * n;
    float* out = a.out + f * a.rows * n;
    add(base, a.projected + state.codes[f / a.repeats] * n, out, n);
    add(out, state.voice, out, n);
    if (a.rows > 1) add(base, state.voice + n, out + n, n);
  });
}

void flow_modulate(const FlowModulate& a, Team& team) {
  int64_t n = a.channels;
  const float* shift = table_row(*a.state, a.table_rows, a.shift, n);
  const float* scale = table_row(*a.state, a.table_rows, a.scale, n);
  over_rows(team, a.state->frames * a.rows, n, [&](int64_t r) {
    const float* x = a.x + r * n;
    float* out = a.out + r * n;
    float mean = total_of(x, n) / n;
    float norm = 1.f / sqrtf(sum_of_deviations(x, n, mean) / n + a.eps);
    sweep(n, [&](int64_t i, auto lanes) {
      Vec unit = (load(x + i, lanes) - mean) * norm;
      store(out + i, unit * (1.f + load(scale + i, lanes)) + load(shift + i, lanes), lanes);
    });
  });
}

void flow_rope_angles(const FlowRopeAngles& a, Team& team) {
  over_rows(team, a.state->frames, a.half, [&](int64_t f) {
    float position = static_cast<float>(a.state->start + f);
    for (int64_t i = 0; i < a.half; ++i) {
      a.cos[f * a.half + i] = cosf(position * a.inv_freq[i]);
      a.sin[f * a.half + i] = sinf(position * a.inv_freq[i]);
    }
  });
}

}  // namespace omni::OMNI_ISA
