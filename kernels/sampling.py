"""Picking the next id on the device: order and random numbers of ops/reference/sampling.py.

Two launches. The first adjusts the logits by blocks of ids and lists the candidates; the second,
one program a sequence, cuts the list to top-k and top-p and lets it race. Nothing is sorted: a cut
is found by halving the range of scores. Sums of probabilities are of integers (2^40 is that of the
largest), so that they do not depend on the order of the list. A list of up to 1024 candidates is
one tile; without top-k and top-p all ids are candidates, and the second launch takes longer.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from .call import Call, Work
from .state import (
    KV_LEN,
    NEXT_POSITION,
    PENALTY,
    POSITION,
    ROW,
    SEED_HI,
    SEED_LO,
    SLOT,
    STEP,
    TEMPERATURE,
    TOKEN,
    TOP_K,
    TOP_P,
    WORDS,
    real,
)

BLOCK = 1024  # ids of a program of the first launch, candidates of a tile of the second
UNIT = tl.constexpr(float(2**40))
LOWEST = tl.constexpr(-(2**31))
HIGHEST = tl.constexpr(2**31 - 1)
NO_ID = tl.constexpr(2**31 - 1)


@triton.jit
def _key(score):
    """An int32 that is ordered as the float32 is; a score is never -0."""
    bits = score.to(tl.int32, bitcast=True)
    return bits ^ ((bits >> 31) & HIGHEST)


@triton.jit
def _mass(score, top):
    """exp(score - top) as an integer."""
    return (tl.exp(score - top) * UNIT).to(tl.int64)


@triton.jit
def _kth_key(keys, inside, k):
    """The k-th largest key of a tile, or the lowest of all if it has fewer."""
    low, high = tl.full((), LOWEST, tl.int64), tl.full((), HIGHEST, tl.int64)
    for _ in range(32):
        middle = low + (high - low + 1) // 2
        enough = tl.sum((inside & (keys >= middle)).to(tl.int32), 0) >= k
        low = tl.where(enough, middle, low)
        high = tl.where(enough, high, middle - 1)
    return low


@triton.jit
def _sure_cut(top, top_p, vocab):
    """A score so far below the largest that all ids below it are less than what top-p drops."""
    cut = top * 0.0 + float("-inf")
    if top_p < 1:
        cut = top - tl.log(vocab / (1.0 - top_p)) - 1.0
    return cut


@triton.jit
def _score_kernel(
    states_ptr,
    logits_ptr,
    seen_ptr,
    suppress_ptr,
    scores_ptr,
    ids_ptr,
    counts_ptr,
    tops_ptr,
    firsts_ptr,
    dropped_ptr,
    vocab,
    BLOCK: tl.constexpr,
):
    """Penalty, suppression and temperature on a block of ids; its candidates join the list.

    A candidate is among the block's top-k, or without top-k not so unlikely that all such ids
    together stay below what top-p drops; the probability of those (in units of the block's largest)
    is kept.
    """
    block, b = tl.program_id(0), tl.program_id(1)
    state = states_ptr + b * WORDS
    temperature = real(state + TEMPERATURE)
    penalty, top_p = real(state + PENALTY), real(state + TOP_P)
    top_k = tl.load(state + TOP_K)
    seen_ptr += tl.load(state + SLOT).to(tl.int64) * vocab
    at = block * BLOCK + tl.arange(0, BLOCK)
    inside = at < vocab
    x = tl.load(logits_ptr + b.to(tl.int64) * vocab + at, inside, float("-inf")).to(tl.float32)
    marked = tl.load(seen_ptr + at, inside, 0) != 0
    x = tl.where(marked, tl.where(x > 0, tl.div_rn(x, penalty), x * penalty), x)
    x = tl.where(tl.load(suppress_ptr + at, inside, 0) != 0, float("-inf"), x)
    x = tl.where(x != x, float("-inf"), x)
    greedy = temperature == 0
    x = tl.div_rn(x, tl.where(greedy, 1.0, temperature)) + 0.0
    inside = inside & (x > float("-inf"))
    top = tl.max(x, 0)
    place = b * tl.num_programs(0) + block
    tl.store(tops_ptr + place, top)
    tl.store(firsts_ptr + place, tl.min(tl.where(inside & (x == top), at, NO_ID), 0))
    tl.store(dropped_ptr + place, 0.0)
    if not greedy:
        if (top_k > 0) & (top_k < vocab):
            kept = inside & (_key(x) >= _kth_key(_key(x), inside, top_k))
        else:
            cut = _sure_cut(top, top_p, vocab)
            kept = inside & (x >= cut)
            lost = tl.where(inside & (x < cut), tl.exp(x - top), 0.0)
            tl.store(dropped_ptr + place, tl.sum(lost, 0))
        number = kept.to(tl.int32)
        first = tl.atomic_add(counts_ptr + b, tl.sum(number, 0))
        to = b.to(tl.int64) * vocab + first + tl.cumsum(number, 0) - number
        tl.store(scores_ptr + to, x, kept)
        tl.store(ids_ptr + to, at, kept)


@triton.jit
def _count_from(scores_ptr, count, key, BLOCK: tl.constexpr):
    """How many candidates have at least a key."""
    total = tl.zeros((BLOCK,), tl.int32)
    for first in range(0, count, BLOCK):
        at = first + tl.arange(0, BLOCK)
        keys = _key(tl.load(scores_ptr + at, at < count, 0.0))
        total += ((at < count) & (keys >= key)).to(tl.int32)
    return tl.sum(total, 0)


@triton.jit
def _ranks(scores_ptr, ids_ptr, at, count):
    """(scores, ids, ranks): a rank orders by score, then by id."""
    score = tl.load(scores_ptr + at, at < count, 0.0)
    number = tl.load(ids_ptr + at, at < count, 0)
    return score, number, (_key(score).to(tl.int64) << 32) + number


@triton.jit
def _ends(scores_ptr, ids_ptr, count, BLOCK: tl.constexpr):
    """The lowest and the highest rank of the candidates."""
    low = tl.full((BLOCK,), 2**63 - 1, tl.int64)
    high = tl.full((BLOCK,), -(2**63), tl.int64)
    for first in range(0, count, BLOCK):
        at = first + tl.arange(0, BLOCK)
        _, _, rank = _ranks(scores_ptr, ids_ptr, at, count)
        low = tl.minimum(low, tl.where(at < count, rank, low))
        high = tl.maximum(high, tl.where(at < count, rank, high))
    return tl.min(low, 0), tl.max(high, 0)


@triton.jit
def _mass_between(scores_ptr, ids_ptr, count, low, high, top, BLOCK: tl.constexpr):
    """The probability of candidates with low <= rank < high."""
    total = tl.zeros((BLOCK,), tl.int64)
    for first in range(0, count, BLOCK):
        at = first + tl.arange(0, BLOCK)
        score, _, rank = _ranks(scores_ptr, ids_ptr, at, count)
        inside = (at < count) & (rank >= low) & (rank < high)
        total += tl.where(inside, _mass(score, top), 0)
    return tl.sum(total, 0)


@triton.jit
def _nucleus(scores_ptr, ids_ptr, count, low, last, below, top_p, top, BLOCK: tl.constexpr):
    """The lowest rank that top-p keeps: the ranks below it have at most 1 - top_p of it all.

    low: the lowest rank that top-k keeps; last: the largest of all, which always stays; below: the
    probability of what is not in the list.
    """
    total = below + _mass_between(scores_ptr, ids_ptr, count, low, last + 1, top, BLOCK)
    limit = ((1.0 - top_p).to(tl.float64) * total.to(tl.float64)).to(tl.int64)
    floor, high = low, last
    while low < high:
        middle = (low | high) - ((low ^ high) >> 1)  # between them, rounded up
        sum_below = below + _mass_between(scores_ptr, ids_ptr, count, floor, middle, top, BLOCK)
        fits = sum_below <= limit
        low = tl.where(fits, middle, low)
        high = tl.where(fits, high, middle - 1)
    return low


@triton.jit
def _minus_log(word):
    """-log(u) of a random word's u = (word / 2^9 + 1/2) / 2^23, float32.

    Near 1, where those are that win, by 2 atanh(d / (2 - d)) with d = 1 - u, which is exact.
    """
    bits = (word >> 9).to(tl.int32)
    u = (bits.to(tl.float32) + 0.5) * 2.0**-23
    d = ((2**23 - 1 - bits).to(tl.float32) + 0.5) * 2.0**-23
    z = d / (2.0 - d)
    s = z * z
    series = s * 0.0 + 1 / 13
    for n in tl.static_range(6):
        series = series * s + 1 / (11 - 2 * n)
    return tl.where(u > 0.5, 2.0 * z * series, -tl.log(u))


@triton.jit
def _race(scores_ptr, ids_ptr, count, low, top, state, stream, BLOCK: tl.constexpr):
    """The id with the largest exp(score - top) / e among ranks of at least ``low``."""
    best, winner = tl.full((), -1.0, tl.float32), tl.full((), 0, tl.int32)
    seed_low = tl.load(state + SEED_LO).to(tl.uint32, bitcast=True)
    seed_high = tl.load(state + SEED_HI).to(tl.uint32, bitcast=True)
    for first in range(0, count, BLOCK):
        at = first + tl.arange(0, BLOCK)
        score, number, rank = _ranks(scores_ptr, ids_ptr, at, count)
        zero = (number * 0).to(tl.uint32, bitcast=True)
        step = zero + tl.load(state + STEP).to(tl.uint32, bitcast=True)
        words = tl.philox_impl(
            number.to(tl.uint32, bitcast=True), step, zero + stream.to(tl.uint32), zero,
            zero + seed_low, zero + seed_high,
        )  # fmt: skip
        speed = tl.exp(score - top) / _minus_log(words[0])
        speed = tl.where((at < count) & (rank >= low), speed, -1.0)
        fastest = tl.max(speed, 0)
        who = tl.min(tl.where(speed == fastest, number, NO_ID), 0)
        wins = (fastest > best) | ((fastest == best) & (who < winner))
        winner = tl.where(wins, who, winner)
        best = tl.where(wins, fastest, best)
    return winner


@triton.jit
def _choose_kernel(
    states_ptr,
    seen_ptr,
    scores_ptr,
    ids_ptr,
    counts_ptr,
    tops_ptr,
    firsts_ptr,
    dropped_ptr,
    vocab,
    blocks,
    stream,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """One program a sequence: the choice, its mark, and the state of the next step."""
    b = tl.program_id(0)
    state = states_ptr + b * WORDS
    at = tl.arange(0, BLOCKS)
    tops = tl.load(tops_ptr + b * blocks + at, at < blocks, float("-inf"))
    firsts = tl.load(firsts_ptr + b * blocks + at, at < blocks, NO_ID)
    top = tl.max(tops, 0)
    token = tl.min(tl.where((tops == top) & (at < blocks), firsts, NO_ID), 0)
    token = tl.where(token == NO_ID, 0, token)  # every score is NaN or -inf: an id, but any
    if (real(state + TEMPERATURE) != 0) & (top > float("-inf")):
        count = tl.load(counts_ptr + b)
        scores_ptr += b.to(tl.int64) * vocab
        ids_ptr += b.to(tl.int64) * vocab
        top_k, top_p = tl.load(state + TOP_K), real(state + TOP_P)
        low, high = tl.full((), LOWEST, tl.int64), _key(top).to(tl.int64)
        if (top_k > 0) & (top_k < vocab):
            while low < high:
                middle = low + (high - low + 1) // 2
                enough = _count_from(scores_ptr, count, middle, BLOCK) >= top_k
                low = tl.where(enough, middle, low)
                high = tl.where(enough, high, middle - 1)
        low = low << 32
        if top_p < 1:
            lost = tl.load(dropped_ptr + b * blocks + at, at < blocks, 0.0)
            lost *= tl.where(tops > float("-inf"), tl.exp(tops - top), 0.0)
            below = tl.sum((lost * UNIT).to(tl.int64), 0)
            lowest, last = _ends(scores_ptr, ids_ptr, count, BLOCK)
            low = tl.maximum(low, lowest)
            low = _nucleus(scores_ptr, ids_ptr, count, low, last, below, top_p, top, BLOCK)
        token = _race(scores_ptr, ids_ptr, count, low, top, state, stream, BLOCK)
    tl.store(counts_ptr + b, 0)
    tl.store(seen_ptr + tl.load(state + SLOT).to(tl.int64) * vocab + token, 1)
    next_position = tl.load(state + NEXT_POSITION)
    tl.store(state + TOKEN, token)
    tl.store(state + POSITION, next_position)
    tl.store(state + NEXT_POSITION, next_position + 1)
    tl.store(state + KV_LEN, tl.load(state + KV_LEN) + 1)
    tl.store(state + ROW, tl.load(state + ROW) + 1)
    tl.store(state + STEP, tl.load(state + STEP) + 1)


def scratch_for(batch: int, vocab: int, device: str = "cpu") -> dict[str, Tensor]:
    """What passes between the two launches; ``counts`` is zeros before and after them."""
    blocks = triton.cdiv(vocab, BLOCK)
    return dict(
        scores_ptr=torch.empty(batch, vocab, device=device),
        ids_ptr=torch.empty(batch, vocab, dtype=torch.int32, device=device),
        counts_ptr=torch.zeros(batch, dtype=torch.int32, device=device),
        tops_ptr=torch.empty(batch, blocks, device=device),
        firsts_ptr=torch.empty(batch, blocks, dtype=torch.int32, device=device),
        dropped_ptr=torch.empty(batch, blocks, device=device),
    )


def sample(
    states: Tensor,
    logits: Tensor,
    seen: Tensor,
    suppress: Tensor,
    stream: int,
    scratch: dict[str, Tensor],
) -> tuple[Call, Call]:
    """Choose each sequence's next id and advance its state; the order is the reference's.

    states: int32 [B, 16]; logits: float [B, V]; seen: uint8 [slots, V]; suppress: uint8 [V];
    stream: of the random numbers; scratch: of ``scratch_for``. Raises ValueError.
    """
    batch, vocab = logits.shape
    if seen.shape[1] != vocab or suppress.shape != (vocab,) or not logits.is_contiguous():
        raise ValueError(
            f"sample: logits {list(logits.shape)}, seen {list(seen.shape)}, "
            f"suppress {list(suppress.shape)}"
        )
    if scratch["scores_ptr"].shape != logits.shape:
        raise ValueError(f"sample: scratch is for {list(scratch['scores_ptr'].shape)}")
    blocks = triton.cdiv(vocab, BLOCK)
    args = dict(states_ptr=states, logits_ptr=logits, seen_ptr=seen, suppress_ptr=suppress)
    args |= scratch | dict(vocab=vocab, blocks=blocks, stream=stream, BLOCK=BLOCK)
    args |= dict(BLOCKS=triton.next_power_of_2(blocks))
    kernels = (_score_kernel, _choose_kernel)
    first, second = ({name: args[name] for name in kernel.arg_names} for kernel in kernels)
    moved = logits.nbytes + batch * 2 * vocab
    generic = ("vocab", "blocks", "stream")
    return (
        Call(_score_kernel, (blocks, batch), first, work=Work(moved), generic=generic),
        Call(_choose_kernel, (batch,), second, 8, work=Work(batch * blocks * 12), generic=generic),
    )
