// The element types that cross the binding.
#pragma once

#include <cstdint>

namespace omni {

enum class DType : int32_t { f32, bf16, f16, i32, i64, u8, i8 };

constexpr const char* name(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float32";
    case DType::bf16:
      return "bfloat16";
    case DType::f16:
      return "float16";
    case DType::i32:
      return "int32";
    case DType::i64:
      return "int64";
    case DType::u8:
      return "uint8";
    case DType::i8:
      return "int8";
  }
  return "?";
}

// The bits of a bfloat16: the upper half of a float32.
struct bf16 {
  uint16_t bits;
};

}  // namespace omni
