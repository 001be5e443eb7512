"""Front end beside the released processor, on one spoken clip: pytest bench/test_inputs.py."""

import numpy as np
import pytest
import torch

from omnirt.inputs.config import AudioSettings
from omnirt.inputs.mel import log_mel

RATE = 16000


@pytest.fixture(scope="module", params=[3, 30], ids=lambda seconds: f"{seconds}s")
def clip(request) -> np.ndarray:
    torch.set_num_threads(1)
    return np.random.default_rng(0).uniform(-0.5, 0.5, request.param * RATE).astype(np.float32)


@pytest.mark.benchmark(group="log-mel of a clip")
def test_omnirt(benchmark, clip):
    benchmark(log_mel, clip, AudioSettings())


@pytest.mark.benchmark(group="log-mel of a clip")
def test_transformers(benchmark, clip):
    transformers = pytest.importorskip("transformers")
    extractor = transformers.WhisperFeatureExtractor(feature_size=128, chunk_length=300)
    benchmark(extractor, clip, sampling_rate=RATE, padding="max_length", return_tensors="np")
