#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "bindings/quantized_arg.h"
#include "bindings/states_arg.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

void embed(const Arg& ids, const WeightArg& table, const Arg& out) {
  Check check("embed");
  check("ids", ids.tensor, "T", {DType::i64});
  check("table", table.tensor, "V E", {DType::f32, DType::bf16});
  check("out", out.tensor, "T E", {DType::f32});
  const auto* id = ids.tensor.as<const int64_t>();
  for (int64_t t = 0; t < check["T"]; ++t)
    check.require(id[t] >= 0 && id[t] < check["V"],
                  "ids[" + std::to_string(t) + "] is " + std::to_string(id[t]) +
                      ", expected 0 <= id < V=" + std::to_string(check["V"]));
  launch("embed", kernels().embed,
         Embed{id, table.table(), out.tensor.as<float>(), check["T"], check["V"], check["E"]},
         {ids, table, out});
}

void state_embed(const Arg& states, const WeightArg& table, const Arg& out) {
  Check check("state_embed");
  const StepState* state = states_of(check, states);
  check("table", table.tensor, "V E", {DType::f32, DType::bf16});
  check("out", out.tensor, "B E", {DType::f32});
  launch(
      "state_embed", kernels().state_embed,
      StateEmbed{state, table.table(), out.tensor.as<float>(), check["B"], check["V"], check["E"]},
      {states, table, out});
}

void talker_input(const Arg& states, const WeightArg& codec_table, const Arg& ring,
                  const Arg& eos_row, const Arg& pad_row, const Arg& out) {
  Check check("talker_input");
  const StepState* state = states_of(check, states);
  check("codec_table", codec_table.tensor, "V E", {DType::f32, DType::bf16});
  check("ring", ring.tensor, "S R E", {DType::f32});
  check("eos_row", eos_row.tensor, "E", {DType::f32, DType::bf16});
  check("pad_row", pad_row.tensor, "E", {DType::f32, DType::bf16});
  check("out", out.tensor, "B E", {DType::f32});
  require_ring(check, state);
  launch("talker_input", kernels().talker_input,
         TalkerInput{state, codec_table.table(), ring.tensor.as<float>(), stored(eos_row.tensor),
                     stored(pad_row.tensor), out.tensor.as<float>(), check["B"], check["V"],
                     check["E"], check["R"]},
         {states, codec_table, ring, eos_row, pad_row, out});
}

void ring_append(const Arg& states, const Arg& h, const Arg& e, const Arg& ring) {
  Check check("ring_append");
  const StepState* state = states_of(check, states);
  check("h", h.tensor, "B E", {DType::f32});
  check("e", e.tensor, "B E", {DType::f32});
  check("ring", ring.tensor, "S R E", {DType::f32});
  require_ring(check, state);
  launch("ring_append", kernels().ring_append,
         RingAppend{state, h.tensor.as<float>(), e.tensor.as<float>(), ring.tensor.as<float>(),
                    check["B"], check["E"], check["R"]},
         {states, h, e, ring});
}

}  // namespace

void register_embedding(pybind11::module_& m) {
  using pybind11::arg;
  m.def("embed", &embed, arg("ids"), arg("table"), arg("out"));
  m.def("state_embed", &state_embed, arg("states"), arg("table"), arg("out"));
  m.def("talker_input", &talker_input, arg("states"), arg("codec_table"), arg("ring"),
        arg("eos_row"), arg("pad_row"), arg("out"));
  m.def("ring_append", &ring_append, arg("states"), arg("h"), arg("e"), arg("ring"));
}

}  // namespace omni::bindings
