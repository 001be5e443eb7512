"""transformers' classes in the small sizes: their parameters bear the checkpoint's names."""

import torch
from torch import Tensor, nn

from . import torchvision_ops  # noqa: F401  before transformers' classes
from .config import model_config
from .induction import can_copy

# isort: split
from transformers import (
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
    Qwen2_5OmniToken2WavConfig,
)
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import (
    Qwen2_5OmniToken2WavBigVGANModel,
    Qwen2_5OmniToken2WavDiTModel,
)


def new_thinker(seed: int = 0) -> Qwen2_5OmniThinkerForConditionalGeneration:
    """The Thinker with both encoders, able to copy."""
    torch.manual_seed(seed)
    config = Qwen2_5OmniThinkerConfig(**model_config()["thinker_config"])
    config._attn_implementation = "sdpa"
    model = Qwen2_5OmniThinkerForConditionalGeneration(config).float()
    can_copy(model.model, seed)
    return model


def new_vocoder(seed: int = 0) -> Qwen2_5OmniToken2WavBigVGANModel:
    """The vocoder, its residual blocks at first small beside what passes around them."""
    torch.manual_seed(seed)
    model = Qwen2_5OmniToken2WavBigVGANModel(_config().bigvgan_config).float()
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            module.reset_parameters()
    with torch.no_grad():
        for block in model.resblocks:
            for conv in block.convs2:
                conv.weight *= 0.3
    return model


def new_flow(mean: Tensor, seed: int = 0) -> Qwen2_5OmniToken2WavDiTModel:
    """The flow's transformer; at first its layers pass their input and it answers mean, [mel_dim].

    Zeros in the adaptive norms as in DiT (arXiv 2212.09748).
    """
    torch.manual_seed(seed)
    config = _config().dit_config
    config.dropout = 0.0
    config._attn_implementation = "sdpa"
    model = Qwen2_5OmniToken2WavDiTModel(config).float()
    norms = [model.norm_out, *(block.attn_norm for block in model.transformer_blocks)]
    for layer in (model.proj_out, *(norm.linear for norm in norms)):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    model.proj_out.bias.data.copy_(mean)
    return model


def _config() -> Qwen2_5OmniToken2WavConfig:
    return Qwen2_5OmniToken2WavConfig(**model_config()["token2wav_config"])
