"""The released model, as transformers 4.57.1 has it, with our inputs and random numbers."""

import contextlib
from dataclasses import dataclass
from unittest import mock

import numpy as np
import torch

from hf import transformers
from omnirt.ops.reference.random import philox_uniform
from omnirt.ops.state import TALKER
from omnirt.types import PromptInputs


@dataclass(frozen=True)
class Answer:
    token_ids: list[int]
    codec_ids: list[int]
    wave: np.ndarray


def tensors(prompt: PromptInputs) -> dict[str, torch.Tensor]:
    """PromptInputs as the keyword arguments of the released model."""
    ids = torch.from_numpy(prompt.input_ids)[None]
    found = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if prompt.mel:
        frames = [clip.shape[1] for clip in prompt.mel]
        features = torch.zeros(len(frames), prompt.mel[0].shape[0], max(frames))
        mask = torch.zeros(len(frames), max(frames), dtype=torch.long)
        for i, clip in enumerate(prompt.mel):
            features[i, :, : frames[i]] = torch.from_numpy(clip)
            mask[i, : frames[i]] = 1
        found |= {"input_features": features, "feature_attention_mask": mask}
    for kind, values, grids in (
        ("images", "pixel_values", "image_grid_thw"),
        ("videos", "pixel_values_videos", "video_grid_thw"),
    ):
        if media := getattr(prompt, kind):
            found[values] = torch.cat([torch.from_numpy(item.patches) for item in media])
            found[grids] = torch.tensor([item.grid for item in media])
    if prompt.videos:
        seconds = [item.seconds_per_grid for item in prompt.videos]
        found["video_second_per_grid"] = torch.tensor(seconds)
    return found


class ReleasedModel:
    """Qwen2_5OmniForConditionalGeneration in float32."""

    def __init__(self, folder) -> None:
        cls = transformers.Qwen2_5OmniForConditionalGeneration
        self.model = cls.from_pretrained(str(folder), dtype=torch.float32).eval()

    def positions(self, prompt: PromptInputs) -> tuple[torch.Tensor, int]:
        """TMRoPE of a prompt: int64 [3, L], and what the decode steps add to the row's index."""
        found = tensors(prompt)
        mask = found.get("feature_attention_mask")
        positions, delta = self.model.thinker.get_rope_index(
            found["input_ids"],
            found.get("image_grid_thw"),
            found.get("video_grid_thw"),
            found["attention_mask"],
            any(prompt.video_has_audio),
            None if mask is None else mask.sum(1),
            found.get("video_second_per_grid"),
        )
        return positions[:, 0], int(delta)

    def answer(
        self,
        prompt: PromptInputs,
        voice: str,
        text_tokens: int,
        codes: int,
        noise: np.ndarray,
        sampling_seed: int | None = None,
    ) -> Answer:
        """Text greedy; codes greedy, or sampled by the released defaults and our Philox numbers."""
        spoken = []
        with torch.no_grad(), _noise(noise), _race(sampling_seed), self._codes(spoken):
            ids, wave = self.model.generate(
                **tensors(prompt),
                speaker=voice,
                use_audio_in_video=any(prompt.video_has_audio),
                return_audio=True,
                thinker_max_new_tokens=text_tokens,
                thinker_do_sample=False,
                talker_max_new_tokens=codes,
                talker_do_sample=sampling_seed is not None,
                talker_eos_token_id=self._stop_ids(),
            )
        return Answer(ids[0, len(prompt.input_ids) :].tolist(), spoken, wave.reshape(-1).numpy())

    def _stop_ids(self) -> list[int]:
        talker = self.model.config.talker_config
        return [talker.tts_codec_pad_token_id, talker.tts_codec_end_token_id]

    @contextlib.contextmanager
    def _codes(self, spoken: list[int]):
        """Keep the codes that token2wav is given."""
        forward = self.model.token2wav.forward

        def keep(code, *args, **kwargs):
            spoken.extend(code[0].tolist())
            return forward(code, *args, **kwargs)

        with mock.patch.object(self.model.token2wav, "forward", keep):
            yield


def _noise(noise: np.ndarray):
    """Flow matching starts from ours: its only randn is the noise of [1, 30000, mel]."""
    return mock.patch.object(torch, "randn", return_value=torch.from_numpy(noise)[None])


def _race(seed: int | None):
    """torch.multinomial is an exponential race; run it with our Philox numbers, step by step."""
    if seed is None:
        return contextlib.nullcontext()
    steps = iter(range(100_000))

    def multinomial(probabilities: torch.Tensor, num_samples: int) -> torch.Tensor:
        assert num_samples == len(probabilities) == 1
        uniform = philox_uniform(seed, TALKER, next(steps), probabilities.shape[1])
        return (probabilities / -uniform.log()).argmax(-1, keepdim=True)

    return mock.patch.object(torch, "multinomial", multinomial)
