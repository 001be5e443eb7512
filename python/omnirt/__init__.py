"""omnirt: a runtime for Qwen2.5-Omni. Text, pictures, sound and video in; text and speech out."""

from .errors import CapacityError, CheckpointError, EngineError, InputError, OmniError
from .options import Options
from .reply import ReplyStream
from .runtime import OmniRuntime
from .types import (
    AudioChunk,
    ChunkStats,
    Done,
    Reply,
    SamplingParams,
    Stats,
    TextDelta,
    WaveSchedule,
)

__all__ = [
    "AudioChunk",
    "CapacityError",
    "CheckpointError",
    "ChunkStats",
    "Done",
    "EngineError",
    "InputError",
    "OmniError",
    "OmniRuntime",
    "Options",
    "Reply",
    "ReplyStream",
    "SamplingParams",
    "Stats",
    "TextDelta",
    "WaveSchedule",
]
