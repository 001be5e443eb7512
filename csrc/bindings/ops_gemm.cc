#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "bindings/window_arg.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

// A weight as ops/packed.py lays it out, of as many outputs as out: binds R, K (of x) and N.
PackedWeight packed_of(Check& check, const Arg& x, const Arg& data, const Maybe& scale,
                       const Maybe& sums, const Maybe& bias, const Arg& out) {
  DType dtype = data.tensor.dtype;
  bool bytes = dtype == DType::i8, halves = dtype == DType::bf16;
  check("data", data.tensor,
        bytes    ? "P D 16 4"
        : halves ? "P D 16 2"
                 : "P D 16 1",
        {DType::f32, DType::bf16, DType::i8});
  check("x", x.tensor, "R K", {DType::f32});
  check("out", out.tensor, "R N", {DType::f32});
  if (bias) check("bias", bias->tensor, "N", {DType::f32});
  if (scale) check("scale", scale->tensor, "N", {DType::f32});
  if (sums) check("sums", sums->tensor, "N", {DType::i32});
  int64_t k = check["K"], depth = packed_inputs(dtype, k) / (bytes ? 4 : halves ? 2 : 1);
  check.require(check["P"] == (check["N"] + 15) / 16 && check["D"] == depth && k >= 1,
                "data of " + std::to_string(check["P"]) + " panels, depth " +
                    std::to_string(check["D"]) + " is not that of a weight [" +
                    std::to_string(check["N"]) + ", " + std::to_string(k) + "]");
  check.require(!bytes || (scale && sums && k <= kMaxByteDepth),
                "int8 takes a scale, sums and up to " + std::to_string(kMaxByteDepth) + " inputs");
  return {data.tensor.data,
          data.tensor.dtype,
          view(scale).as<const float>(),
          view(sums).as<const int32_t>(),
          check["N"],
          k};
}

void flow_linear(const Arg& state, const Arg& x, const Arg& data, const Maybe& scale,
                 const Maybe& sums, const Maybe& bias, const Arg& out, int64_t rows, bool gelu) {
  Check check("flow_linear");
  const FlowState* window = flow_state_of(check, state);
  PackedWeight weight = packed_of(check, x, data, scale, sums, bias, out);
  require_frames(check, *window, rows, check["R"]);
  launch("flow_linear", kernels().flow_linear,
         FlowLinear{window, x.tensor.as<float>(), weight, view(bias).as<const float>(),
                    out.tensor.as<float>(), rows, gelu},
         {state, x, data, scale, sums, bias, out});
}

void flow_gated_linear(const Arg& state, const Arg& table, const Arg& x, const Arg& data,
                       const Maybe& scale, const Maybe& sums, const Maybe& bias, int64_t gate,
                       const Arg& out, int64_t rows) {
  Check check("flow_gated_linear");
  const FlowState* window = flow_state_of(check, state);
  require_table(check, *window, table);
  PackedWeight weight = packed_of(check, x, data, scale, sums, bias, out);
  check("out", out.tensor, "R C", {DType::f32});
  require_frames(check, *window, rows, check["R"]);
  require_below(check, "gate", gate, check["M"]);
  launch("flow_gated_linear", kernels().flow_gated_linear,
         FlowGatedLinear{window, x.tensor.as<float>(), weight, view(bias).as<const float>(),
                         out.tensor.as<float>(), rows, gate, check["M"]},
         {state, table, x, data, scale, sums, bias, out});
}

}  // namespace

void register_gemm(pybind11::module_& m) {
  using pybind11::arg;
  m.def("flow_linear", &flow_linear, arg("state"), arg("x"), arg("data"), arg("scale").none(true),
        arg("sums").none(true), arg("bias").none(true), arg("out"), arg("rows"), arg("gelu"));
  m.def("flow_gated_linear", &flow_gated_linear, arg("state"), arg("table"), arg("x"), arg("data"),
        arg("scale").none(true), arg("sums").none(true), arg("bias").none(true), arg("gate"),
        arg("out"), arg("rows"));
}

}  // namespace omni::bindings
