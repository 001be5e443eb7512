"""Online softmax (arXiv 1805.02867) by tiles of keys, as in flash attention (arXiv 2205.14135)."""

import math

import triton
import triton.language as tl

LOG2_E = math.log2(math.e)  # kernels take powers of two


@triton.jit
def attend(q, k, v, visible, scale, top, total, out):
    """One tile of keys and values joins the running softmax of some queries.

    q: [M, D]; k: [D, N], loaded so, since turning it here would keep the compiler from copying
    tiles ahead; v: [N, D]; all of one dtype. visible: bool, broadcast to [M, N], true somewhere in
    the tile or in one before. scale: with log2(e). top: float32 [M], the largest score so far;
    total: [M], the sum of powers; out: [M, D], the weighted sum of values. Returns the new three.
    """
    scores = tl.dot(q, k, input_precision="ieee") * scale
    scores = tl.where(visible, scores, float("-inf"))
    largest = tl.maximum(top, tl.max(scores, 1))
    weights = tl.exp2(scores - largest[:, None])
    kept = tl.exp2(top - largest)
    total = total * kept + tl.sum(weights, 1)
    out = tl.dot(weights.to(v.dtype), v, out * kept[:, None], input_precision="ieee")
    return largest, total, out
