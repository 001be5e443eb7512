"""How the released tools read media, written down plainly: all frames, all samples, then pick."""

import math

import av
import numpy as np
import soundfile
import soxr
import torch

import hf

FACTOR = 28


def read_wav(path) -> np.ndarray:
    """librosa.load(path, sr=16000): mean of the channels, soxr HQ."""
    samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate == 16000:
        return mono
    length = math.ceil(len(mono) * 16000 / rate)
    return np.resize(soxr.resample(mono, rate, 16000, quality="HQ"), length)


def read_sound(path) -> np.ndarray:
    """The sound track of a video, 16 kHz in our files."""
    with av.open(str(path)) as container:
        assert container.streams.audio[0].rate == 16000
        frames = [f.to_ndarray().mean(axis=0) for f in container.decode(audio=0)]
    return np.concatenate(frames)


def read_video(path, fps: float = 2.0, start=None, end=None, bounds=None):
    """float32 [n, 3, H, W] and the rate of the frames in it, as qwen-omni-utils 0.0.9 has them."""
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate)
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    first = 0 if start is None else math.ceil(start * rate)
    last = len(frames) - 1 if end is None else min(math.floor(end * rate), len(frames) - 1)
    total = last - first + 1
    count = min(max(total / rate * fps, 4), min(768, total) // 2 * 2)
    count = math.floor(count / 2) * 2
    indices = torch.linspace(first, last, count).round().long().tolist()
    video = torch.from_numpy(np.stack([frames[i] for i in indices])).permute(0, 3, 1, 2)
    size = video_size(*video.shape[2:], count, bounds)
    return hf.resize_frames(video, *size), count / total * rate


def video_size(height: int, width: int, count: int, bounds=None) -> tuple[int, int]:
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    low, high = bounds or (128 * FACTOR**2, 768 * FACTOR**2)
    budget = 128000 * FACTOR**2 * 0.9 / count * 2
    high = min(high, max(min(768 * FACTOR**2, budget), int(low * 1.05)))
    return smart_resize(height, width, FACTOR, low, high)
