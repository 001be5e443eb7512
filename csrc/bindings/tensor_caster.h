// Tensors in, by DLPack: torch (bfloat16 included) and NumPy, no header of either.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "base/dlpack.h"
#include "base/tensor.h"

namespace omni::bindings {

// A tensor argument: the view, and the Python object that owns its memory.
struct Arg {
  Tensor tensor;
  pybind11::object owner;
};

using Maybe = std::optional<Arg>;

// One on any device, for whoever only passes its address on.
struct AnyArg : Arg {};

inline Tensor view(const Maybe& arg) { return arg ? arg->tensor : Tensor{}; }

inline DType dtype_of(const dlpack::DataType& type) {
  if (type.lanes == 1) {
    if (type.code == dlpack::kFloat && type.bits == 32) return DType::f32;
    if (type.code == dlpack::kFloat && type.bits == 16) return DType::f16;
    if (type.code == dlpack::kBfloat && type.bits == 16) return DType::bf16;
    if (type.code == dlpack::kInt && type.bits == 32) return DType::i32;
    if (type.code == dlpack::kInt && type.bits == 64) return DType::i64;
    if (type.code == dlpack::kUInt && type.bits == 8) return DType::u8;
    if (type.code == dlpack::kInt && type.bits == 8) return DType::i8;
  }
  throw std::invalid_argument("tensor of DLPack type code " + std::to_string(type.code) + ", " +
                              std::to_string(type.bits) +
                              " bits: use float32, bfloat16, float16, int32, int64, int8 or uint8");
}

inline bool is_dense(const dlpack::View& view) {
  if (view.strides == nullptr) return true;
  int64_t expected = 1;
  for (int i = view.ndim - 1; i >= 0; --i) {
    if (view.shape[i] == 0) return true;
    if (view.shape[i] != 1 && view.strides[i] != expected) return false;
    expected *= view.shape[i];
  }
  return true;
}

inline Tensor tensor_of(const dlpack::View& view, bool any_device) {
  if (!any_device && view.device.type != dlpack::kCpu)
    throw std::invalid_argument("tensor on DLPack device type " + std::to_string(view.device.type) +
                                ": move it to the CPU");
  if (view.ndim > kMaxDims)
    throw std::invalid_argument("tensor of " + std::to_string(view.ndim) + " axes: at most " +
                                std::to_string(kMaxDims));
  if (!is_dense(view)) throw std::invalid_argument("tensor is not contiguous: call .contiguous()");
  Tensor tensor;
  tensor.data = static_cast<char*>(view.data) + view.byte_offset;
  tensor.dtype = dtype_of(view.dtype);
  tensor.ndim = view.ndim;
  for (int i = 0; i < view.ndim; ++i) tensor.shape[i] = view.shape[i];
  return tensor;
}

}  // namespace omni::bindings

namespace pybind11::detail {

inline bool load_tensor(handle source, omni::bindings::Arg& value, bool any_device) {
  if (!hasattr(source, "__dlpack__")) return false;
  // The capsule frees its own description when it goes; `owner` keeps the memory.
  object capsule = source.attr("__dlpack__")();
  auto* managed =
      static_cast<omni::dlpack::Managed*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
  if (managed == nullptr) throw error_already_set();
  value.tensor = omni::bindings::tensor_of(managed->view, any_device);
  value.owner = reinterpret_borrow<object>(source);
  return true;
}

template <>
struct type_caster<omni::bindings::Arg> {
  PYBIND11_TYPE_CASTER(omni::bindings::Arg, const_name("torch.Tensor"));
  bool load(handle source, bool) { return load_tensor(source, value, false); }
};

template <>
struct type_caster<omni::bindings::AnyArg> {
  PYBIND11_TYPE_CASTER(omni::bindings::AnyArg, const_name("torch.Tensor"));
  bool load(handle source, bool) { return load_tensor(source, value, true); }
};

}  // namespace pybind11::detail
