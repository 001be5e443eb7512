#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

void rms_norm(const Arg& x, const Arg& weight, float eps, const Arg& out) {
  Check check("rms_norm");
  check("weight", weight.tensor, "D", {DType::f32, DType::bf16});
  check("x", x.tensor, "... D", {DType::f32});
  check("out", out.tensor, "... D", {DType::f32});
  launch("rms_norm", kernels().rms_norm,
         RmsNorm{x.tensor.as<float>(), nullptr, stored(weight.tensor), nullptr,
                 out.tensor.as<float>(), check["..."], check["D"], eps},
         {x, weight, out});
}

void add_rms_norm(const Arg& x, const Arg& delta, const Arg& weight, float eps, const Arg& total,
                  const Arg& out) {
  Check check("add_rms_norm");
  check("weight", weight.tensor, "D", {DType::f32, DType::bf16});
  check("x", x.tensor, "... D", {DType::f32});
  check("delta", delta.tensor, "... D", {DType::f32});
  check("total", total.tensor, "... D", {DType::f32});
  check("out", out.tensor, "... D", {DType::f32});
  launch("add_rms_norm", kernels().rms_norm,
         RmsNorm{x.tensor.as<float>(), delta.tensor.as<float>(), stored(weight.tensor),
                 total.tensor.as<float>(), out.tensor.as<float>(), check["..."], check["D"], eps},
         {x, delta, weight, total, out});
}

void layer_norm(const Arg& x, const Maybe& weight, const Maybe& bias, float eps, const Arg& out) {
  Check check("layer_norm");
  check("x", x.tensor, "... D", {DType::f32});
  if (weight) check("weight", weight->tensor, "D", {DType::f32, DType::bf16});
  if (bias) check("bias", bias->tensor, "D", {DType::f32, DType::bf16});
  check("out", out.tensor, "... D", {DType::f32});
  launch("layer_norm", kernels().layer_norm,
         LayerNorm{x.tensor.as<float>(), stored(view(weight)), stored(view(bias)),
                   out.tensor.as<float>(), check["..."], check["D"], eps},
         {x, weight, bias, out});
}

}  // namespace

void register_norm(pybind11::module_& m) {
  using pybind11::arg;
  m.def("rms_norm", &rms_norm, arg("x"), arg("weight"), arg("eps"), arg("out"));
  m.def("add_rms_norm", &add_rms_norm, arg("x"), arg("delta"), arg("weight"), arg("eps"),
        arg("total"), arg("out"));
  m.def("layer_norm", &layer_norm, arg("x"), arg("weight").none(true), arg("bias").none(true),
        arg("eps"), arg("out"));
}

}  // namespace omni::bindings
