#include "cpu/kernels.h"
#include "cpu/rows.h"

namespace omni::OMNI_ISA {

void rms_norm(const RmsNorm& a, Team& team) {
  with_type(a.weight.data, a.weight.dtype, [&](auto* weight) {
    over_rows(team, a.rows, a.dim, [&](int64_t r) {
      const float* x = a.x + r * a.dim;
      if (a.delta != nullptr) {
        const float* delta = a.delta + r * a.dim;
        float* total = a.total + r * a.dim;
        sweep(a.dim, [&](int64_t i, auto lanes) {
          store(total + i, load(x + i, lanes) + load(delta + i, lanes), lanes);
        });
        x = total;
      }
      float scale = 1.f / sqrtf(sum_of_squares(x, a.dim) / a.dim + a.eps);
      float* out = a.out + r * a.dim;
      sweep(a.dim, [&](int64_t i, auto lanes) {
        store(out + i, load(x + i, lanes) * scale * load(weight + i, lanes), lanes);
      });
    });
  });
}

void layer_norm(const LayerNorm& a, Team& team) {
  over_rows(team, a.rows, a.dim, [&](int64_t r) {
    const float* x = a.x + r * a.dim;
    float* out = a.out + r * a.dim;
    float mean = total_of(x, a.dim) / a.dim;
    float scale = 1.f / sqrtf(sum_of_deviations(x, a.dim, mean) / a.dim + a.eps);
    sweep(a.dim, [&](int64_t i, auto lanes) {
      store(out + i, (load(x + i, lanes) - mean) * scale, lanes);
    });
    if (a.weight.data != nullptr)
      with_type(a.weight.data, a.weight.dtype, [&](auto* weight) {
        sweep(a.dim, [&](int64_t i, auto lanes) {
          store(out + i, load(out + i, lanes) * load(weight + i, lanes), lanes);
        });
      });
    if (a.bias.data != nullptr)
      with_type(a.bias.data, a.bias.dtype, [&](auto* bias) {
        sweep(a.dim, [&](int64_t i, auto lanes) {
          store(out + i, load(out + i, lanes) + load(bias + i, lanes), lanes);
        });
      });
  });
}

}  // namespace omni::OMNI_ISA
