#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "bindings/quantized_arg.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

void quant_linear(const Arg& x, const WeightArg& weight, const Maybe& bias, const Arg& scratch,
                  const Arg& out) {
  Check check("quant_linear");
  check.require(weight.quantized.data != nullptr, "weight is a tensor, expected a quantized one");
  check("weight", weight.tensor, "N K", {DType::f32});
  check("x", x.tensor, "... K", {DType::f32});
  if (bias) check("bias", bias->tensor, "N", {DType::f32, DType::bf16});
  std::string bytes = std::to_string(rounded_bytes(check["K"]));
  check("scratch", scratch.tensor, "... " + bytes, {DType::u8});
  check("out", out.tensor, "... N", {DType::f32});
  launch("quant_linear", kernels().quant_linear,
         QuantLinear{x.tensor.as<float>(), weight.quantized, stored(view(bias)),
                     scratch.tensor.as<uint8_t>(), out.tensor.as<float>(), check["..."]},
         {x, weight, bias, scratch, out});
}

void quantize(const Arg& weight, const WeightArg& out) {
  Check check("quantize");
  check.require(out.quantized.data != nullptr, "out is a tensor, expected a quantized weight");
  check("weight", weight.tensor, "N K", {DType::f32, DType::bf16});
  check("out", out.tensor, "N K", {DType::f32});
  launch("quantize", kernels().quantize, Quantize{stored(weight.tensor), out.quantized},
         {weight, out});
}

}  // namespace

void register_quant(pybind11::module_& m) {
  using pybind11::arg;
  m.def("quant_linear", &quant_linear,
        "out = x weight^T + bias, x rounded to 8 or, with tiles, 16 bits", arg("x"), arg("weight"),
        arg("bias").none(true), arg("scratch"), arg("out"));
  m.def("quantize", &quantize, arg("weight"), arg("out"));
  m.def("rounded_bytes", &rounded_bytes, "Bytes of scratch that quant_linear takes for a row",
        arg("k"));
}

}  // namespace omni::bindings
