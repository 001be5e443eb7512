#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

void linear(const Arg& x, const Arg& weight, const Maybe& bias, const Arg& out) {
  Check check("linear");
  check("weight", weight.tensor, "N K", {DType::f32, DType::bf16});
  check("x", x.tensor, "... K", {DType::f32});
  if (bias) check("bias", bias->tensor, "N", {DType::f32, DType::bf16});
  check("out", out.tensor, "... N", {DType::f32});
  launch("linear", kernels().linear,
         Linear{x.tensor.as<float>(), stored(weight.tensor), stored(view(bias)),
                out.tensor.as<float>(), check["..."], check["N"], check["K"]},
         {x, weight, bias, out});
}

}  // namespace

void register_linear(pybind11::module_& m) {
  m.def("linear", &linear, "out = x weight^T + bias", pybind11::arg("x"), pybind11::arg("weight"),
        pybind11::arg("bias").none(true), pybind11::arg("out"));
}

}  // namespace omni::bindings
