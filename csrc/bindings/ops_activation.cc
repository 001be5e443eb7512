#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

void silu_mul(const Arg& gate, const Arg& up, const Arg& out) {
  Check check("silu_mul");
  check("gate", gate.tensor, "... D", {DType::f32});
  check("up", up.tensor, "... D", {DType::f32});
  check("out", out.tensor, "... D", {DType::f32});
  launch("silu_mul", kernels().silu_mul,
         SiluMul{gate.tensor.as<float>(), up.tensor.as<float>(), out.tensor.as<float>(),
                 check["..."] * check["D"]},
         {gate, up, out});
}

void gelu(const Arg& x, bool tanh, const Arg& out) {
  Check check("gelu");
  check("x", x.tensor, "... D", {DType::f32});
  check("out", out.tensor, "... D", {DType::f32});
  launch("gelu", kernels().gelu,
         Gelu{x.tensor.as<float>(), out.tensor.as<float>(), check["..."] * check["D"], tanh},
         {x, out});
}

}  // namespace

void register_activation(pybind11::module_& m) {
  using pybind11::arg;
  m.def("silu_mul", &silu_mul, arg("gate"), arg("up"), arg("out"));
  m.def("gelu", &gelu, arg("x"), arg("tanh"), arg("out"));
}

}  // namespace omni::bindings
