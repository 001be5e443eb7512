#include "cpu/int_dot.h"
#include "cpu/kernels.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kStreams = 4;  // that a core reads at once: faster than one
constexpr int64_t kLine = 64, kVecsOfLine = kLine / static_cast<int64_t>(sizeof(ByteVec));

// Exclusive or of all bytes of `size`, a multiple of kStreams lines, in each lane's place.
int32_t read_streams(const uint8_t* data, int64_t size) {
  IntVec seen[kStreams][kVecsOfLine] = {};
  const int64_t stride = size / kStreams;
  for (int64_t i = 0; i < stride; i += kLine)
    for (int s = 0; s < kStreams; ++s)
      for (int v = 0; v < kVecsOfLine; ++v)
        seen[s][v] ^= (IntVec)load_bytes(data + s * stride + i + v * sizeof(ByteVec));
  int32_t all = 0;
  for (auto& stream : seen)
    for (IntVec vec : stream)
      for (int i = 0; i < kLanes; ++i) all ^= vec[i];
  return all;
}

}  // namespace

void read_memory(const ReadMemory& a, Team& team) {
  team.run(static_cast<int>(a.parts), [&](int part) {
    const int64_t size = a.bytes / a.parts / (kStreams * kLine) * (kStreams * kLine);
    a.out[part] = read_streams(a.data + part * size, size);
  });
}

}  // namespace omni::OMNI_ISA
