"""Small random Token2Wav models of transformers 4.57.1, and their weights as ours take them."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from hf import transformers
from omnirt.token2wav.bigvgan import BigVGAN
from omnirt.token2wav.config import Token2WavConfig
from omnirt.token2wav.model import Token2Wav
from stubs import DictWeights

hf_config = pytest.importorskip("transformers.models.qwen2_5_omni.configuration_qwen2_5_omni")
released = pytest.importorskip("transformers.models.qwen2_5_omni.modeling_qwen2_5_omni")

DIT = {
    "hidden_size": 64,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "head_dim": 16,
    "ff_mult": 2,
    "emb_dim": 24,
    "repeats": 2,
    "num_embeds": 50,
    "mel_dim": 80,
    "block_size": 24,
    "look_ahead_layers": [2],
    "look_backward_layers": [0, 4],
    "enc_emb_dim": 20,
    "enc_dim": 12,
    "enc_channels": [16, 16, 16, 16, 48],
    "enc_kernel_sizes": [5, 3, 3, 3, 1],
    "enc_dilations": [1, 2, 3, 4, 1],
    "enc_attention_channels": 8,
    "enc_res2net_scale": 2,
    "enc_se_channels": 6,
}
BIGVGAN = {
    "mel_dim": 80,
    "upsample_initial_channel": 64,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "upsample_rates": [5, 3, 2, 2, 2, 2],
    "upsample_kernel_sizes": [11, 7, 4, 4, 4, 4],
}


@dataclass(frozen=True)
class FakeSpeaker:
    """A voice as the checkpoint reader gives it."""

    cond: torch.Tensor
    ref_mel: torch.Tensor


def fill(module, generator: torch.Generator) -> None:
    """Random weights. The vocoder's are kept small: its snakes would amplify float32 rounding."""
    for name, tensor in module.named_parameters():
        fan_in = tensor[0].numel() if tensor.dim() > 1 else 100
        gain = 1.0 if name.startswith("code2wav_dit_model.") else 0.3
        if ".ups." in name:
            fan_in, gain = tensor.shape[0] * 2, 1.0
        noise = torch.randn(tensor.shape, generator=generator)
        tensor.data.copy_(noise * gain * fan_in**-0.5)


def build(seed: int = 0, **dit) -> tuple[object, Token2WavConfig, DictWeights]:
    """A released model and our config and weights of it; ``dit`` overrides sizes."""
    values = {"dit_config": {**DIT, **dit}, "bigvgan_config": BIGVGAN}
    config = transformers.Qwen2_5OmniToken2WavConfig(**values)
    theirs = released.Qwen2_5OmniToken2WavModel(config).float().eval()
    with torch.no_grad():
        fill(theirs, torch.Generator().manual_seed(seed))
        rotary = theirs.code2wav_dit_model.rotary_embed.inv_freq
        rotary.copy_(rotary.bfloat16())  # as the released files store it
    weights = DictWeights({k: v.detach() for k, v in theirs.state_dict().items()})
    return theirs, Token2WavConfig.from_dict(values), weights


def build_vocoder(seed: int = 0, peak: float = 0.5, **sizes) -> tuple[object, BigVGAN]:
    """A released vocoder and ours with its weights, about as loud as ``peak``.

    ``sizes`` override BIGVGAN's.
    """
    values = {**BIGVGAN, **sizes}
    theirs = released.Qwen2_5OmniToken2WavBigVGANModel(hf_config.Qwen2_5OmniBigVGANConfig(**values))
    theirs = theirs.float().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        fill(theirs, generator)
        last = theirs.conv_post.weight
        last *= 1e-3  # nothing is clamped while the loudness is measured
        theirs.conv_pre.weight *= 3
        last *= peak / theirs(torch.randn(1, 80, 50, generator=generator) * 3 - 4).abs().max()
    return theirs, vocoder_of(theirs)


def vocoder_of(theirs) -> BigVGAN:
    values = {"dit_config": DIT, "bigvgan_config": theirs.config.to_dict()}
    weights = DictWeights({k: v.detach() for k, v in theirs.state_dict().items()})
    return BigVGAN(Token2WavConfig.from_dict(values).bigvgan, weights)


def speakers(seed: int = 1, frames: int = 37) -> dict[str, FakeSpeaker]:
    generator = torch.Generator().manual_seed(seed)

    def one() -> FakeSpeaker:
        mel = torch.randn(1, frames, DIT["mel_dim"], generator=generator) * 2 - 5
        return FakeSpeaker(torch.randn(1, DIT["enc_emb_dim"], generator=generator), mel)

    return {"Chelsie": one(), "Ethan": one()}


def ours(config: Token2WavConfig, weights: DictWeights, **options) -> Token2Wav:
    return Token2Wav(config, weights, speakers(), **options)


def codes_of(count: int) -> list[int]:
    """Codes of a reply, the same for the same length."""
    return torch.randint(0, 50, (count,), generator=torch.Generator().manual_seed(count)).tolist()


def noise_of(frames: int) -> np.ndarray:
    """Noise that a reply starts from, the same for the same length."""
    return np.random.default_rng(frames).standard_normal((frames, 80), dtype=np.float32)


def drain(steps) -> torch.Tensor:
    """What a generator returns in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
