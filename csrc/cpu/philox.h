// Philox4x32-10, a counter-based generator (Salmon et al. 2011, doi 10.1145/2063384.2063405).
#pragma once

#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

struct Words {
  uint32_t x0, x1, x2, x3;
};

inline Words random_words(Words c, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    uint64_t first = static_cast<uint64_t>(0xD2511F53) * c.x0;
    uint64_t second = static_cast<uint64_t>(0xCD9E8D57) * c.x2;
    c = {static_cast<uint32_t>(second >> 32) ^ c.x1 ^ key0, static_cast<uint32_t>(second),
         static_cast<uint32_t>(first >> 32) ^ c.x3 ^ key1, static_cast<uint32_t>(first)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return c;
}

// A word as a number in (0, 1). Its 24 bits are exact in a float too; one more would round up to 1.
inline double unit(uint32_t word) { return ((word >> 9) + 0.5) * 0x1p-23; }

constexpr uint32_t kFlowStream = 2;

// One frame of the flow's noise: out[c] for every channel, by Box-Muller.
inline void normal_row(uint64_t seed, uint32_t frame, float* out, int64_t channels) {
  constexpr double kTwoPi = 6.283185307179586;
  uint32_t low = static_cast<uint32_t>(seed), high = static_cast<uint32_t>(seed >> 32);
  for (int64_t c = 0; c < channels; ++c) {
    Words words = random_words({static_cast<uint32_t>(c), frame, kFlowStream, 0}, low, high);
    double radius = ::sqrt(-2 * ::log(unit(words.x0)));
    out[c] = static_cast<float>(radius * ::cos(kTwoPi * unit(words.x1)));
  }
}

}  // namespace
}  // namespace omni::OMNI_ISA
