// Every CPU kernel: its arguments and its place in the table of one instruction set.
//
// Arguments are plain data, so a Plan can copy and replay them. Arrays are dense, float32 unless
// Stored; shapes are written beside them. Kernels do not check: bindings do.
#pragma once

#include "base/parallel.h"
#include "base/step_state.h"
#include "base/tensor.h"
#include "cpu/flow_kernels.h"
#include "cpu/gemm_kernels.h"
#include "cpu/quant_kernels.h"
#include "cpu/vocoder_kernels.h"

namespace omni {

struct Linear {
  const float* x;  // [rows, k]
  Stored weight;   // [n, k]
  Stored bias;     // [n] or null
  float* out;      // [rows, n]
  int64_t rows, n, k;
};

// Reads `parts` equal ranges one after the other per core: what memory can do at best.
struct ReadMemory {
  const uint8_t* data;  // [bytes]
  int32_t* out;         // [parts]: the exclusive or of what each holds
  int64_t bytes, parts;
};

struct RmsNorm {
  const float* x;      // [rows, dim]
  const float* delta;  // [rows, dim] or null: added to x before the norm
  Stored weight;       // [dim]
  float* total;        // [rows, dim]: x + delta, unless delta is null
  float* out;          // [rows, dim]
  int64_t rows, dim;
  float eps;
};

struct LayerNorm {
  const float* x;  // [rows, dim]
  Stored weight;   // [dim] or null
  Stored bias;     // [dim] or null
  float* out;      // [rows, dim]
  int64_t rows, dim;
  float eps;
};

struct SiluMul {
  const float* gate;  // [count]
  const float* up;    // [count]
  float* out;         // [count]
  int64_t count;
};

struct Gelu {
  const float* x;  // [count]
  float* out;      // [count]
  int64_t count;
  bool tanh;
};

struct Embed {
  const int64_t* ids;  // [rows]
  Table table;         // [vocab, dim]
  float* out;          // [rows, dim]
  int64_t rows, vocab, dim;
};

struct StateEmbed {
  const StepState* states;  // [batch]
  Table table;              // [vocab, dim]
  float* out;               // [batch, dim]
  int64_t batch, vocab, dim;
};

struct TalkerInput {
  const StepState* states;  // [batch]
  Table table;              // [vocab, dim]
  const float* ring;        // [slots, ring_rows, dim]
  Stored eos_row, pad_row;  // [dim]
  float* out;               // [batch, dim]
  int64_t batch, vocab, dim, ring_rows;
};

struct RingAppend {
  const StepState* states;  // [batch]
  const float* h;           // [batch, dim]
  const float* e;           // [batch, dim]
  float* ring;              // [slots, ring_rows, dim]
  int64_t batch, dim, ring_rows;
};

struct RopeAngles {
  const int64_t* positions;  // [axes, rows]
  const float* inv_freq;     // [half]
  const int64_t* axis;       // [half]: the axis that each frequency follows
  float* cos;                // [rows, half]
  float* sin;                // [rows, half]
  int64_t rows, half;
};

struct StateRopeAngles {
  const StepState* states;  // [batch]
  const float* inv_freq;    // [half]
  float* cos;               // [batch, half]
  float* sin;               // [batch, half]
  int64_t batch, half;
};

struct Rope {
  const float* x;    // [rows, heads, 2 * half]
  const float* cos;  // [rows, half]
  const float* sin;  // [rows, half]
  float* out;        // [rows, heads, 2 * half]
  int64_t rows, heads, half;
};

// The cached keys and values of one layer, and which pages belong to whom.
// Values of an int8 cache that share a scale. A row is dim values, then a float32 for each block of
// them: outliers of one channel, which keys have (arXiv 2402.02750), spoil no more than a block.
constexpr int64_t kCacheBlock = 32;

struct Cache {
  void* k;                // [pages, kv_heads, page, row]
  void* v;                // [pages, kv_heads, page, row]
  DType dtype;            // of both
  const int32_t* tables;  // [slots, table_width]: page numbers in order
  int64_t kv_heads, page, dim, row, table_width;
};

struct RopeAppend {
  const float* q;           // [batch, heads, dim]
  const float* k;           // [batch, kv_heads, dim]
  const float* v;           // [batch, kv_heads, dim]
  const float* cos;         // [batch, dim / 2]
  const float* sin;         // [batch, dim / 2]
  const StepState* states;  // [batch]
  Cache cache;
  float* out;  // [batch, heads, dim]: rotated q
  int64_t batch, heads;
};

struct KvWrite {
  const float* k;  // [rows, kv_heads, dim]
  const float* v;  // [rows, kv_heads, dim]
  Cache cache;     // one table
  int64_t rows, start;
};

struct PrefillAttention {
  const float* q;  // [rows, heads, dim]
  Cache cache;     // one table
  float* out;      // [rows, heads, dim]
  int64_t rows, heads, start;
};

struct PagedAttention {
  const float* q;           // [batch, heads, dim]
  const StepState* states;  // [batch]
  Cache cache;
  float* partial;  // [batch, heads, splits, dim + 2]: scratch
  float* out;      // [batch, heads, dim]
  int64_t batch, heads, splits;
};

// Largest head that attention and rope keep on the stack.
constexpr int64_t kMaxHeadDim = 256;

// Most query heads that may share one key head.
constexpr int64_t kMaxGroup = 64;

// Cached rows that one chunk of paged attention covers. A constant, so that results depend on the
// length of the context and never on the number of threads.
constexpr int64_t kAttentionSplit = 512;

struct Sample {
  StepState* states;        // [batch]
  const float* logits;      // [batch, vocab]
  uint8_t* seen;            // [slots, vocab]
  const uint8_t* suppress;  // [vocab]
  float* work;              // [batch, vocab]: scratch
  int32_t* order;           // [batch, vocab]: scratch
  int64_t batch, vocab;
  uint32_t stream;
};

// The generator itself: four words per counter.
struct Philox {
  const uint32_t* counters;  // [count, 4]
  uint32_t* out;             // [count, 4]
  int64_t count;
  uint64_t seed;
};

struct PhiloxUniform {
  float* out;  // [count]
  int64_t count;
  uint64_t seed;
  uint32_t stream, step;
};

// clang-format off
#define OMNI_KERNELS(X)                  \
  X(linear, Linear)                      \
  X(read_memory, ReadMemory)             \
  X(rms_norm, RmsNorm)                   \
  X(layer_norm, LayerNorm)               \
  X(silu_mul, SiluMul)                   \
  X(gelu, Gelu)                          \
  X(embed, Embed)                        \
  X(state_embed, StateEmbed)             \
  X(talker_input, TalkerInput)           \
  X(ring_append, RingAppend)             \
  X(rope_angles, RopeAngles)             \
  X(state_rope_angles, StateRopeAngles)  \
  X(rope, Rope)                          \
  X(rope_append, RopeAppend)             \
  X(kv_write, KvWrite)                   \
  X(prefill_attention, PrefillAttention) \
  X(paged_attention, PagedAttention)     \
  X(sample, Sample)                      \
  X(philox, Philox)                      \
  X(philox_uniform, PhiloxUniform)       \
  OMNI_GEMM_KERNELS(X)                   \
  OMNI_FLOW_KERNELS(X)                   \
  OMNI_VOCODER_KERNELS(X)                \
  OMNI_QUANT_KERNELS(X)
// clang-format on

// All kernels for one instruction set.
struct KernelTable {
#define OMNI_MEMBER(name, Args) void (*name)(const Args&, Team&);
  OMNI_KERNELS(OMNI_MEMBER)
#undef OMNI_MEMBER
};

#ifdef OMNI_ISA
namespace OMNI_ISA {
#define OMNI_DECLARE(name, Args) void name(const Args&, Team&);
OMNI_KERNELS(OMNI_DECLARE)
#undef OMNI_DECLARE
}  // namespace OMNI_ISA
#endif

}  // namespace omni
