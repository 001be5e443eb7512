// The transforms of the vocoder's convolutions; see ops/packed_conv.py for the one of the weights.
#pragma once

#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

// One output of one tap.
struct Direct {
  static constexpr int kPoints = 1, kOutputs = 1;
  static void spread(const Vec (&x)[1], Vec (&at)[1]) { at[0] = x[0]; }
  static void gather(const Vec (&at)[1], Vec (&y)[1]) { y[0] = at[0]; }
};

// Toom-Cook's F(kOutputs, 8 - kOutputs) on the points 0, 1, -1, 2, -2, -1/2 and infinity.
template <int Outputs>
struct ToomCook {
  static constexpr int kPoints = 7, kOutputs = Outputs;

  // at[a] = x . the coefficients of the product of (t - b) over the points b other than a. All but
  // three are (t + 1/2) t times a difference of squares and a last factor, which pairs of points
  // share up to a sign.
  static void spread(const Vec (&x)[7], Vec (&at)[7]) {
    Vec one[3], two[3], both[3];  // t^2 - 4, t^2 - 1 from x[1] on, their product from x[0] on
    for (int i = 0; i < 3; ++i) {
      one[i] = multiply_add(splat(-4.f), x[i + 1], x[i + 3]);
      two[i] = x[i + 3] - x[i + 1];
      both[i] = multiply_add(splat(4.f), x[i], multiply_add(splat(-5.f), x[i + 2], x[i + 4]));
    }
    Vec half = splat(0.5f);
    Vec low = multiply_add(half, one[0], one[1]), high = multiply_add(half, one[1], one[2]);
    at[1] = high + low;
    at[2] = high - low;
    low = multiply_add(half, two[0], two[1]), high = multiply_add(half, two[1], two[2]);
    at[3] = multiply_add(splat(2.f), low, high);
    at[4] = multiply_add(splat(-2.f), low, high);
    at[0] = multiply_add(half, both[0], both[1]);
    at[5] = both[1];
    at[6] = multiply_add(half, both[1], both[2]);
  }

  // y[i] = the sum over the points of a^i at[a]; infinity counts for the last.
  static void gather(const Vec (&at)[7], Vec (&y)[Outputs]) {
    Vec one[2] = {at[1] + at[2], at[1] - at[2]}, two[2] = {at[3] + at[4], at[3] - at[4]};
    float power = 1;  // 2^i
    for (int i = 0; i < Outputs; ++i, power *= 2) {
      Vec pairs = multiply_add(splat(power), two[i % 2], one[i % 2]);
      y[i] = multiply_add(splat((i % 2 ? -1 : 1) / power), at[5], pairs);
    }
    y[0] += at[0];
    y[Outputs - 1] += at[6];
  }
};

}  // namespace
}  // namespace omni::OMNI_ISA
