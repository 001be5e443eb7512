// How the kernels read the panels of each format.
#pragma once

#include "cpu/int_dot.h"
#include "cpu/quantized_row.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kOutputVecs = kOutputs / kLanes;
constexpr int64_t kByteBlock = kBlockInputs * kOutputs;  // bytes of a panel's block in 8 bits

// An output's weights in 8 bits, one scale for all of them.
struct Int8 {
  using Sums = IntVec;
  using Scale = float;
  static constexpr bool kHasZero = false;
  static constexpr int kTile = 4;   // rows whose sums fit the registers
  static constexpr int kQuads = 1;  // fours of inputs in a chunk
  static constexpr int64_t kBlock = kByteBlock;
  static constexpr int kAhead = 2048;  // bytes that are asked for before they are needed
  static ByteVec unpack(ByteVec bytes, int) { return bytes; }
  static Sums add(Sums sums, ByteVec weights, ByteVec x) { return add_dot(sums, weights, x); }
  static IntVec total(Sums sums) { return sums; }
  static Vec scale(const Scale* from) { return load(from); }
};

// Weights in 4 bits, a scale and perhaps a zero-point for each group of inputs.
struct Int4 {
  using Sums = NibbleSums;
  using Scale = uint16_t;
  static constexpr bool kHasZero = true;
  static constexpr int kTile = 12 / kOutputVecs;
  static constexpr int kQuads = 2;
  static constexpr int64_t kBlock = kByteBlock / 2;
  static constexpr int kAhead = 2048;
  static ByteVec unpack(ByteVec bytes, int quad) {
    return (quad == 0 ? bytes : (ByteVec)((WordVec)bytes >> 4)) & 15;
  }
  static Sums add(Sums sums, ByteVec weights, ByteVec x) { return add_products(sums, weights, x); }
  static IntVec total(Sums sums) { return nibble_total(sums); }
  static Vec scale(const Scale* from) { return load_half(from); }
};

// The same in the cache, a byte each, in the layout of Int8.
struct Unpacked4 : Int4 {
  static constexpr int kQuads = 1;
  static constexpr int64_t kBlock = kByteBlock;
  static constexpr int kAhead = 0;
  static ByteVec unpack(ByteVec bytes, int) { return bytes; }
};

// What many rows multiply with: weights as they are, or unpacked into the cache.
inline Int8 cached(Int8, const uint8_t*& /*data*/, int64_t /*blocks*/, uint8_t* /*room*/) {
  return {};
}
inline Unpacked4 cached(Int4, const uint8_t*& data, int64_t blocks, uint8_t* room) {
  for (int64_t i = 0; i < blocks * Int4::kBlock; i += kChunk)
    for (int64_t v = 0; v < kChunk; v += sizeof(ByteVec)) {
      __builtin_prefetch(data + i + Int4::kAhead);
      ByteVec bytes = load_bytes(data + i + v);
      for (int quad = 0; quad < 2; ++quad) {
        ByteVec unpacked = Int4::unpack(bytes, quad);
        memcpy(room + 2 * i + quad * kChunk + v, &unpacked, sizeof(unpacked));
      }
    }
  data = room;
  return {};
}

constexpr int64_t kGroupsAhead = 8;  // whose scales are asked for before they are needed

// A panel's scales and zero-points, by group.
template <class Format>
struct Scales {
  const typename Format::Scale* scales;
  const uint8_t* zeros;  // or null

  void prefetch(int64_t group) const {
    __builtin_prefetch(scales + group * kOutputs);
    if (zeros != nullptr) __builtin_prefetch(zeros + group * (kOutputs / 2));
  }
  Vec scale(int64_t group, int v) const {
    return Format::scale(scales + group * kOutputs + v * kLanes);
  }
  Vec zero(int64_t group, int v) const { return to_float(zero_steps(group, v)); }
  IntVec zero_steps(int64_t group, int v) const {
    if (zeros == nullptr) return kMiddle - IntVec{};
    uint32_t words[2];
    memcpy(words, zeros + group * (kOutputs / 2), sizeof(words));
    BitVec word, shift;
    for (int i = 0; i < kLanes; ++i) {
      int output = v * kLanes + i;
      word[i] = words[output / 4 % 2];
      shift[i] = output % 4 * 8 + output / 8 * 4;
    }
    return (IntVec)(word >> shift & 15);
  }
};

template <class Format>
inline Scales<Format> scales_of(const Quantized& weight, int64_t panel) {
  int64_t groups = ceil_div(weight.k, weight.group);
  const uint8_t* zeros = weight.zeros;
  if (zeros != nullptr) zeros += panel * groups * (kOutputs / 2);
  return {static_cast<const typename Format::Scale*>(weight.scales) + panel * groups * kOutputs,
          zeros};
}

}  // namespace
}  // namespace omni::OMNI_ISA
