"""What Triton's interpreter lacks, so that a CPU runs the kernels with the numbers of a GPU.

It keeps bfloat16 as the bits of a uint16 and multiplies, adds and compares those as integers, and
drops the low bits where a GPU rounds to the nearest. Here bfloat16 goes through float32 and back.
Sums over bfloat16 stay wrong: kernels make float32 of what they load. Triton 3.6 asks numpy for an
int of an array with one element, which numpy 2.4 refuses. Holds for Triton 3.6 to 3.9.
"""

import numpy as np
import triton
import triton.language as tl
from triton.runtime import interpreter

Builder, Handle = interpreter.InterpreterBuilder, interpreter.TensorHandle

NAN = np.uint16(0x7FC0)


def install() -> None:
    """Mend the interpreter of this process; to be called once."""
    _mend_dot()
    _mend_casts()
    _mend_arithmetic()
    if tuple(map(int, triton.__version__.split(".")[:2])) < (3, 7):
        _mend_indices()


def _is_half(handle: Handle) -> bool:
    return handle.dtype.scalar == tl.bfloat16


def _widen(bits: np.ndarray) -> np.ndarray:  # uint16 -> float32
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _round(values: np.ndarray) -> np.ndarray:  # float32 -> uint16, to the nearest, ties to even
    values = np.ascontiguousarray(values, np.float32)
    bits = values.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), NAN, rounded.astype(np.uint16))


def _mend_dot() -> None:
    stock = Builder.create_dot

    def create_dot(self, a, b, *rest):
        a, b = (Handle(_widen(x.data), tl.float32) if _is_half(x) else x for x in (a, b))
        return stock(self, a, b, *rest)

    Builder.create_dot = create_dot


def _mend_casts() -> None:
    stock, stock_float = Builder.cast_impl, Builder.create_fp_to_fp

    def cast_impl(self, source, dtype):
        wanted = dtype.scalar
        if _is_half(source) and wanted != tl.bfloat16:
            wide = Handle(_widen(source.data), tl.float32)
            return wide if wanted == tl.float32 else stock(self, wide, dtype)
        if wanted == tl.bfloat16 and not _is_half(source):
            return Handle(_round(source.data.astype(np.float32)), tl.bfloat16)
        return stock(self, source, dtype)

    def create_fp_to_fp(self, source, dtype, *rest):
        if tl.bfloat16 in (source.dtype.scalar, dtype.scalar):
            return cast_impl(self, source, dtype)
        return stock_float(self, source, dtype, *rest)

    Builder.cast_impl, Builder.create_fp_to_fp = cast_impl, create_fp_to_fp


def _mend_arithmetic() -> None:
    stock_binary, stock_unary = Builder.binary_op, Builder.unary_op

    def binary_op(self, left, right, op):
        if not (_is_half(left) and _is_half(right)):
            return stock_binary(self, left, right, op)
        result = op(_widen(left.data), _widen(right.data))
        if result.dtype == np.bool_:
            return Handle(result, tl.bfloat16)
        return Handle(_round(result), tl.bfloat16)

    def unary_op(self, value, op):
        if not _is_half(value):
            return stock_unary(self, value, op)
        return Handle(_round(op(_widen(value.data))), tl.bfloat16)

    Builder.binary_op, Builder.unary_op = binary_op, unary_op


def _mend_indices() -> None:
    stock = interpreter._patch_lang_tensor

    def patch(tensor, *args, **kwargs):
        result = stock(tensor, *args, **kwargs)

        def index(self) -> int:
            return int(np.asarray(self.handle.data).reshape(-1)[0])

        tensor.__index__ = tensor.__int__ = index
        return result

    interpreter._patch_lang_tensor = patch
