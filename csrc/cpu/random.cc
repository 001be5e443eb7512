#include "cpu/kernels.h"
#include "cpu/philox.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kBlock = 4096;

}  // namespace

void philox(const Philox& a, Team&) {
  for (int64_t i = 0; i < a.count; ++i) {
    const uint32_t* c = a.counters + 4 * i;
    Words words = random_words({c[0], c[1], c[2], c[3]}, static_cast<uint32_t>(a.seed),
                               static_cast<uint32_t>(a.seed >> 32));
    memcpy(a.out + 4 * i, &words, sizeof(words));
  }
}

void philox_uniform(const PhiloxUniform& a, Team& team) {
  uint32_t low = static_cast<uint32_t>(a.seed), high = static_cast<uint32_t>(a.seed >> 32);
  team.run(static_cast<int>(ceil_div(a.count, kBlock)), [&](int chunk) {
    int64_t end = smaller(a.count, (chunk + 1) * kBlock);
    for (int64_t i = chunk * kBlock; i < end; ++i) {
      Words words = random_words({static_cast<uint32_t>(i), a.step, a.stream, 0}, low, high);
      a.out[i] = static_cast<float>(unit(words.x0));
    }
  });
}

}  // namespace omni::OMNI_ISA
