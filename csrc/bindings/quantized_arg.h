// Weights that may be quantized, as Python hands them over: a tensor, or a formats.Quantized.
#pragma once

#include "base/check.h"
#include "bindings/tensor_caster.h"
#include "cpu/quant_kernels.h"

namespace omni::bindings {

// Of a quantized weight, `tensor` has the shape only.
struct WeightArg : Arg {
  Quantized quantized;

  Table table() const { return {stored(tensor), quantized}; }
};

// Throws std::invalid_argument if the parts do not fit the shape, pybind11's errors if there are
// none.
inline WeightArg quantized_arg(pybind11::handle source) {
  auto part = [&](const char* name) { return source.attr(name).cast<Arg>().tensor; };
  auto [n, k] = source.attr("shape").cast<std::pair<int64_t, int64_t>>();
  WeightArg arg;
  arg.owner = pybind11::reinterpret_borrow<pybind11::object>(source);
  arg.tensor.ndim = 2;
  arg.tensor.shape[0] = n;
  arg.tensor.shape[1] = k;
  Quantized& to = arg.quantized;
  to.n = n, to.k = k;
  to.group = source.attr("group").cast<int64_t>();
  to.bits = source.attr("bits").cast<int>();
  Check check("quantized weight");
  check.require(n > 0 && k > 0, "has no elements");
  check.require(to.bits == 8 || to.bits == 4,
                "has " + std::to_string(to.bits) + " bits, not 8 or 4");
  check.require(to.group > 0 && to.group % kBlockInputs == 0,
                "has group " + std::to_string(to.group) + ", not a multiple of 32");
  auto sizes = [](int64_t a, int64_t b, int64_t c) {
    return std::to_string(a) + " " + std::to_string(b) + " " + std::to_string(c);
  };
  int64_t panels = (n + 15) / 16, groups = (k + to.group - 1) / to.group;
  Tensor data = part("data"), scales = part("scales");
  check("data", data, sizes(panels, padded(k) * to.bits / 32, 64), {DType::u8});
  check("scales", scales, sizes(panels, groups, 16), {to.bits == 8 ? DType::f32 : DType::f16});
  to.data = data.as<uint8_t>();
  to.scales = scales.data;
  if (!source.attr("zeros").is_none()) {
    Tensor zeros = part("zeros");
    check("zeros", zeros, sizes(panels, groups, 8), {DType::u8});
    to.zeros = zeros.as<uint8_t>();
  }
  return arg;
}

}  // namespace omni::bindings

namespace pybind11::detail {

template <>
struct type_caster<omni::bindings::WeightArg> {
  PYBIND11_TYPE_CASTER(omni::bindings::WeightArg, const_name("torch.Tensor | Quantized"));

  bool load(handle source, bool convert) {
    if (hasattr(source, "__dlpack__")) {
      type_caster<omni::bindings::Arg> plain;
      if (!plain.load(source, convert)) return false;
      static_cast<omni::bindings::Arg&>(value) = static_cast<omni::bindings::Arg&>(plain);
      return true;
    }
    if (!hasattr(source, "scales")) return false;
    value = omni::bindings::quantized_arg(source);
    return true;
  }
};

}  // namespace pybind11::detail
