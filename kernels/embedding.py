"""Table lookups, and the rows that pass from the thinker to the talker."""

import triton
import triton.language as tl
from torch import Tensor

from omnirt.formats import Quantized

from . import packed
from .call import Call, Work
from .packed import LANES, MIDDLE4, group_scale, group_zero
from .state import ROW, SLOT, TEXT_ROWS, TOKEN, WORDS

BLOCK = 1024  # columns of a program


@triton.jit
def _table_row(
    table_ptr, scales_ptr, zeros_ptr, row, at, width, chunks, groups,
    BITS: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """Columns ``at`` of a row of a table, float32; BITS is 0 for numbers as they are."""
    inside = at < width
    if BITS == 0:
        return tl.load(table_ptr + row.to(tl.int64) * width + at, inside, 0.0).to(tl.float32)
    else:
        DEPTH: tl.constexpr = 32 // BITS
        panel, lane = row // LANES, row % LANES
        place = (panel.to(tl.int64) * chunks + at // DEPTH) * LANES + lane
        words = tl.load(table_ptr + place, inside, 0)
        j = at % DEPTH
        if BITS == 8:
            value = (words << (24 - 8 * j)) >> 24
            group = at * 0
        else:
            value = (words >> (8 * (j % 4) + 4 * (j // 4))) & 15
            group = at // GROUP
        steps = value.to(tl.float32)
        if BITS == 4:
            if zeros_ptr is None:
                steps -= MIDDLE4
            else:
                steps -= group_zero(zeros_ptr, panel, lane, group, groups, inside)
        return steps * group_scale(scales_ptr, panel, lane, group, groups, inside)


@triton.jit
def _embed_kernel(
    ids_ptr,
    id_stride,
    data_ptr,
    scales_ptr,
    zeros_ptr,
    out_ptr,
    width,
    chunks,
    groups,
    BITS: tl.constexpr,
    GROUP: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One program a block of columns of one row: out[t] = table[ids[t]]."""
    t = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    row = tl.load(ids_ptr + t * id_stride).to(tl.int32)
    x = _table_row(
        data_ptr, scales_ptr, zeros_ptr, row, at, width, chunks, groups, BITS, GROUP
    )  # fmt: skip
    tl.store(out_ptr + t.to(tl.int64) * width + at, x, at < width)


@triton.jit
def _talker_input_kernel(
    states_ptr,
    data_ptr,
    scales_ptr,
    zeros_ptr,
    ring_ptr,
    eos_ptr,
    pad_ptr,
    out_ptr,
    width,
    ring_rows,
    chunks,
    groups,
    BITS: tl.constexpr,
    GROUP: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """out[b] = table[token] + the text row that is due: of the ring, then eos once, then pad."""
    b = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < width
    state = states_ptr + b * WORDS
    row, rows = tl.load(state + ROW), tl.load(state + TEXT_ROWS)
    slot, token = tl.load(state + SLOT).to(tl.int64), tl.load(state + TOKEN)
    x = _table_row(
        data_ptr, scales_ptr, zeros_ptr, token, at, width, chunks, groups, BITS, GROUP
    )  # fmt: skip
    place = (slot * ring_rows + row % ring_rows) * width + at
    text = tl.load(ring_ptr + place, at < tl.where(row < rows, width, 0), 0.0).to(tl.float32)
    text += tl.load(eos_ptr + at, at < tl.where(row == rows, width, 0), 0.0).to(tl.float32)
    text += tl.load(pad_ptr + at, at < tl.where(row > rows, width, 0), 0.0).to(tl.float32)
    tl.store(out_ptr + b * width + at, x + text, inside)


@triton.jit
def _ring_append_kernel(states_ptr, h_ptr, e_ptr, ring_ptr, width, ring_rows, BLOCK: tl.constexpr):
    """ring[slot, row % R] = h + e."""
    b = tl.program_id(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < width
    state = states_ptr + b * WORDS
    slot, row = tl.load(state + SLOT).to(tl.int64), tl.load(state + ROW)
    h = tl.load(h_ptr + b * width + at, inside, 0.0).to(tl.float32)
    e = tl.load(e_ptr + b * width + at, inside, 0.0).to(tl.float32)
    tl.store(ring_ptr + (slot * ring_rows + row % ring_rows) * width + at, h + e, inside)


def _table(name: str, table: Tensor | Quantized, width: int) -> dict[str, object]:
    if table.shape[1] != width:
        raise ValueError(f"{name}: the table has {table.shape[1]} columns, out has {width}")
    if isinstance(table, Quantized):
        return packed.arguments(table)
    if not table.is_contiguous():
        raise ValueError(f"{name}: a table of floats must be contiguous")
    empty = dict(scales_ptr=None, zeros_ptr=None, chunks=0, groups=0, BITS=0, GROUP=0)
    return dict(data_ptr=table) | empty


def _row_bytes(table: Tensor | Quantized) -> int:
    return table.nbytes // table.shape[0]


def embed(ids: Tensor, table: Tensor | Quantized, out: Tensor) -> Call:
    """out[t] = table[ids[t]]. ids: int [T], any stride: ``states[:, TOKEN]`` while decoding;
    table: float or quantized [V, E]; out: float [T, E]. Raises ValueError."""
    rows, width = out.shape
    if ids.shape != (rows,) or not out.is_contiguous():
        raise ValueError(f"embed: {list(ids.shape)} ids for out {list(out.shape)}")
    args = _table("embed", table, width)
    args |= dict(ids_ptr=ids, id_stride=ids.stride(0), out_ptr=out, width=width, BLOCK=BLOCK)
    work = Work(rows * _row_bytes(table) + out.nbytes)
    return _call(_embed_kernel, rows, width, args, work)


def talker_input(
    states: Tensor,
    table: Tensor | Quantized,
    ring: Tensor,
    eos_row: Tensor,
    pad_row: Tensor,
    out: Tensor,
) -> Call:
    """out[b] = table[token] + text row ``row``: from the ring below ``text_rows``, then eos_row
    once, then pad_row. states: int32 [B, 16]; table: [V, E]; ring: float [slots, R, E]; eos_row,
    pad_row: float [E]; out: float [B, E]. Raises ValueError."""
    rows, width = out.shape
    if ring.shape[2] != width or eos_row.shape != (width,) or pad_row.shape != (width,):
        raise ValueError(f"talker_input: ring {list(ring.shape)} for out {list(out.shape)}")
    args = _table("talker_input", table, width)
    args |= dict(states_ptr=states, ring_ptr=ring, eos_ptr=eos_row, pad_ptr=pad_row, out_ptr=out)
    args |= dict(width=width, ring_rows=ring.shape[1], BLOCK=BLOCK)
    work = Work(rows * _row_bytes(table) + 2 * out.nbytes)
    return _call(_talker_input_kernel, rows, width, args, work)


def ring_append(states: Tensor, h: Tensor, e: Tensor, ring: Tensor) -> Call:
    """ring[slot, row % R] = h + e. h, e: float [B, E]; ring: [slots, R, E]. Raises ValueError."""
    rows, width = h.shape
    if e.shape != h.shape or ring.shape[2] != width:
        raise ValueError(
            f"ring_append: h {list(h.shape)}, e {list(e.shape)}, ring {list(ring.shape)}"
        )
    args = dict(states_ptr=states, h_ptr=h, e_ptr=e, ring_ptr=ring, width=width)
    args |= dict(ring_rows=ring.shape[1], BLOCK=BLOCK)
    work = Work(h.nbytes + e.nbytes + rows * width * ring.itemsize)
    return _call(_ring_append_kernel, rows, width, args, work)


def _call(kernel, rows: int, width: int, args: dict[str, object], work: Work) -> Call:
    ordered = {name: args[name] for name in kernel.arg_names}
    generic = ("chunks", "groups", "ring_rows")
    return Call(kernel, (rows, triton.cdiv(width, BLOCK)), ordered, work=work, generic=generic)
