// The matrix registers of AMX: eight tiles of 16 rows of 64 bytes (Intel SDM, volume 1, chapter
// 18).
//
// C += A B with 16 x 16 sums C, rows of A as they lie in memory, and B in fours (int8) or twos
// (bf16) of inputs: B[k / d][column][k % d]. The compiler does not know what tiles hold: these
// functions are its fences.
#pragma once

#ifdef __AMX_TILE__

#include <immintrin.h>
#include <stdint.h>

namespace omni::OMNI_ISA {
namespace {

constexpr int kTileSide = 16;       // rows of a tile, and columns of sums
constexpr int64_t kTileBytes = 64;  // of a row

// While it lives, this thread's tiles have rows of full size: tiles 0 to 5, sums and A, as many as
// it is told, 6 and 7 all of them. One for each chunk of work: what configuring costs is nothing
// beside it, and a thread that sleeps has no tiles to save.
class TileScope {
 public:
  explicit TileScope(int rows = kTileSide) {
    struct alignas(64) Config {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } config;
    for (int i = 0; i < 8; ++i) {
      config.row_bytes[i] = kTileBytes;
      config.rows[i] = static_cast<uint8_t>(i < 6 ? rows : kTileSide);
    }
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  ~TileScope() { asm volatile("tilerelease"); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

template <int T>
inline void clear_tile() {
  asm volatile("tilezero %%tmm%c0" ::"i"(T));
}

template <int T>
inline void load_tile(const void* from, int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(T) : "memory");
}

template <int T>
inline void store_tile(void* to, int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(T) : "memory");
}

// Float32 sums of products of bfloat16.
template <int C, int A, int B>
inline void multiply_bf16() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
}

// Int32 sums of products of int8; A and B may each be without sign.
template <int C, int A, int B>
inline void multiply_i8() {
  asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
}
template <int C, int A, int B>
inline void multiply_u8_i8() {
  asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
}
template <int C, int A, int B>
inline void multiply_i8_u8() {
  asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
}

}  // namespace
}  // namespace omni::OMNI_ISA

#endif
