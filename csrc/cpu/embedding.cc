#include "cpu/kernels.h"
#include "cpu/quantized_row.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

void dequantize(const Quantized& table, int64_t id, float* out) {
  QuantizedRow row(table, id);
  for (int64_t first = 0; first < table.k; first += table.group) {
    int64_t group = first / table.group, last = smaller(table.k, first + table.group);
    int zero = row.zero(group);
    float scale = row.scale(group);
    for (int64_t i = first; i < last; ++i) out[i] = static_cast<float>(row.steps(i, zero)) * scale;
  }
}

// out = row `id` of the table. An id outside it makes a row of NaN: wrong, but never unseen.
void lookup(const Table& table, int64_t vocab, int64_t dim, int64_t id, float* out) {
  if (id < 0 || id >= vocab) {
    for (int64_t i = 0; i < dim; ++i) out[i] = __builtin_nanf("");
    return;
  }
  if (table.quantized.data != nullptr) return dequantize(table.quantized, id, out);
  with_type(table.stored.data, table.stored.dtype, [&](auto* rows) {
    sweep(dim,
          [&](int64_t i, auto lanes) { store(out + i, load(rows + id * dim + i, lanes), lanes); });
  });
}

void add(float* out, Stored row, int64_t dim) {
  with_type(row.data, row.dtype, [&](auto* values) {
    sweep(dim, [&](int64_t i, auto lanes) {
      store(out + i, load(out + i, lanes) + load(values + i, lanes), lanes);
    });
  });
}

constexpr int64_t kRowsPerChunk = 32;

}  // namespace

void embed(const Embed& a, Team& team) {
  team.run(static_cast<int>(ceil_div(a.rows, kRowsPerChunk)), [&](int chunk) {
    int64_t end = smaller(a.rows, (chunk + 1) * kRowsPerChunk);
    for (int64_t r = chunk * kRowsPerChunk; r < end; ++r)
      lookup(a.table, a.vocab, a.dim, a.ids[r], a.out + r * a.dim);
  });
}

void state_embed(const StateEmbed& a, Team&) {
  for (int64_t b = 0; b < a.batch; ++b)
    lookup(a.table, a.vocab, a.dim, a.states[b].token, a.out + b * a.dim);
}

void talker_input(const TalkerInput& a, Team&) {
  for (int64_t b = 0; b < a.batch; ++b) {
    const StepState& state = a.states[b];
    float* out = a.out + b * a.dim;
    lookup(a.table, a.vocab, a.dim, state.token, out);
    int64_t ring_row = state.slot * a.ring_rows + state.row % a.ring_rows;
    if (state.row < state.text_rows)
      add(out, {a.ring + ring_row * a.dim, DType::f32}, a.dim);
    else
      add(out, state.row == state.text_rows ? a.eos_row : a.pad_row, a.dim);
  }
}

void ring_append(const RingAppend& a, Team&) {
  for (int64_t b = 0; b < a.batch; ++b) {
    const StepState& state = a.states[b];
    float* out = a.ring + (state.slot * a.ring_rows + state.row % a.ring_rows) * a.dim;
    const float* h = a.h + b * a.dim;
    const float* e = a.e + b * a.dim;
    sweep(a.dim, [&](int64_t i, auto lanes) {
      store(out + i, load(h + i, lanes) + load(e + i, lanes), lanes);
    });
  }
}

}  // namespace omni::OMNI_ISA
