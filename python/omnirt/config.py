"""What all config modules share: the checked reader, decoder sizes, environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import CheckpointError, InputError


class Section:
    """One object of a config.json, read key by key; errors name the full path of the key.

    Reading methods take the names of a key in order of preference, so that files written with
    older or newer names load alike. A key that is null counts as absent.
    """

    def __init__(self, values: Mapping, path: str) -> None:
        if not isinstance(values, Mapping):
            raise CheckpointError(f"{path}={values!r}: must be an object")
        self._values = values
        self.path = path

    def require(self, ok: bool, key: str, value: object, fix: str) -> None:
        """Raise CheckpointError about ``key`` unless ``ok``."""
        if not ok:
            raise CheckpointError(f"{self.path}.{key}={value!r}: {fix}")

    def has(self, key: str) -> bool:
        return self._values.get(key) is not None

    def mapping(self, key: str) -> Mapping:
        """The object behind ``key`` as it is."""
        return self.section(key)._values

    def section(self, key: str) -> "Section":
        return Section(self._find((key,), None), f"{self.path}.{key}")

    def size(self, *names: str, default: int | None = None) -> int:
        """A positive whole number."""
        value = self._find(names, default)
        self.require(_is_whole(value) and value > 0, names[0], value, "must be a whole number > 0")
        return value

    def token(self, *names: str, default: int | None = None) -> int:
        """A token id: a whole number, 0 or more."""
        value = self._find(names, default)
        self.require(_is_whole(value) and value >= 0, names[0], value, "must be a token id >= 0")
        return value

    def number(self, *names: str, default: float | None = None) -> float:
        """A positive number."""
        value = self._find(names, default)
        ok = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        self.require(ok, names[0], value, "must be a number > 0")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """true or false."""
        value = self._find((name,), default)
        self.require(isinstance(value, bool), name, value, "must be true or false")
        return value

    def choice(self, name: str, *allowed: str, default: str | None = None) -> str:
        """One of a few words."""
        value = self._find((name,), default)
        self.require(value in allowed, name, value, f"use {' or '.join(map(repr, allowed))}")
        return value

    def wholes(self, *names: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """A list of whole numbers, each 0 or more."""
        value = self._find(names, default)
        ok = isinstance(value, list | tuple) and all(_is_whole(v) and v >= 0 for v in value)
        self.require(ok, names[0], value, "must be a list of whole numbers >= 0")
        return tuple(value)

    def rows(self, *names: str) -> tuple[tuple[int, ...], ...]:
        """A list of lists of whole numbers."""
        value = self._find(names, None)
        self.require(isinstance(value, list), names[0], value, "must be a list of lists")
        return tuple(Section({names[0]: row}, self.path).wholes(names[0]) for row in value)

    def refuse(self, key: str, *allowed: object) -> None:
        """Raise if ``key`` is there with a value that this runtime does not implement."""
        value = self._values.get(key)
        ok = value is None or value in allowed
        self.require(ok, key, value, f"not supported; use {' or '.join(map(repr, allowed))}")

    def _find(self, names: tuple[str, ...], default: object) -> object:
        for name in names:
            if self._values.get(name) is not None:
                return self._values[name]
        if default is None:
            raise CheckpointError(
                f"{self.path}.{names[0]} is missing: download config.json again, or add it"
            )
        return default


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of a Qwen2.5 decoder (the Thinker's and the Talker's language model).

    mrope_section: how many of the head_dim / 2 rotary frequencies follow each of the three position
    axes (time, height, width).
    """

    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    vocab_size: int
    rope_theta: float
    mrope_section: tuple[int, ...]
    rms_norm_eps: float
    max_positions: int

    @classmethod
    def from_section(cls, s: Section) -> "DecoderConfig":
        """Read ``text_config`` or ``talker_config``; rope keys as in transformers 4 or 5."""
        s.refuse("use_sliding_window", False)
        s.refuse("hidden_act", "silu")
        s.refuse("tie_word_embeddings", False)
        rope = s.section("rope_parameters" if s.has("rope_parameters") else "rope_scaling")
        rope.refuse("rope_type", "default", "mrope")
        hidden, heads = s.size("hidden_size"), s.size("num_attention_heads")
        config = cls(
            hidden_size=hidden,
            intermediate_size=s.size("intermediate_size"),
            num_layers=s.size("num_hidden_layers"),
            num_heads=heads,
            num_kv_heads=s.size("num_key_value_heads", default=heads),
            head_dim=s.size("head_dim", default=max(hidden // heads, 1)),
            vocab_size=s.size("vocab_size"),
            rope_theta=(rope if rope.has("rope_theta") else s).number("rope_theta"),
            mrope_section=rope.wholes("mrope_section"),
            rms_norm_eps=s.number("rms_norm_eps"),
            max_positions=s.size("max_position_embeddings"),
        )
        config._check(s, has_head_dim=s.has("head_dim"))
        return config

    def _check(self, s: Section, has_head_dim: bool) -> None:
        heads, kv = self.num_heads, self.num_kv_heads
        s.require(
            has_head_dim or self.hidden_size % heads == 0,
            "num_attention_heads",
            heads,
            f"must divide hidden_size={self.hidden_size}, or head_dim must be given",
        )
        s.require(
            heads % kv == 0, "num_key_value_heads", kv, f"must divide num_attention_heads={heads}"
        )
        s.require(
            self.head_dim % 2 == 0, "head_dim", self.head_dim, "must be even for rotary halves"
        )
        s.require(
            len(self.mrope_section) == 3 and sum(self.mrope_section) == self.head_dim // 2,
            "mrope_section",
            list(self.mrope_section),
            f"must be 3 numbers that sum to head_dim / 2 = {self.head_dim // 2}",
        )


@dataclass(frozen=True)
class Environment:
    """The environment variables of the runtime (huggingface_hub reads its own).

    OMNIRT_ISA: instruction set of the CPU kernels instead of the best one of this machine.
    OMNIRT_THREADS: cores to use where the caller does not say.
    OMNIRT_LIBCUDA: path of the CUDA driver instead of the one that the loader finds.
    """

    isa: str | None = None
    threads: int | None = None
    libcuda: str | None = None

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> "Environment":
        threads = variables.get("OMNIRT_THREADS") or None
        if threads is not None and not (threads.isdecimal() and int(threads) > 0):
            raise InputError(f"OMNIRT_THREADS={threads!r}: use a whole number > 0, or unset it")
        return cls(
            isa=variables.get("OMNIRT_ISA") or None,
            threads=int(threads) if threads is not None else None,
            libcuda=variables.get("OMNIRT_LIBCUDA") or None,
        )
