"""Tokenizer, chat template and processor files of a random checkpoint, in the released layout.

The byte-level BPE has the released pre-tokenizer and special tokens, but merges learned from a few
sentences: any text round-trips, only into more tokens than with the released vocabulary.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from .presets import SMALL_PLAIN_TOKENS

# In id order from the first special id on; the second group is matched but not "special".
CONTROL_TOKENS = (
    "<|endoftext|> <|im_start|> <|im_end|> <|AUDIO|> <|audio_bos|> <|audio_eos|> <|box_end|> "
    "<|quad_start|> <|quad_end|> <|vision_bos|> <|vision_eos|> <|vision_pad|> <|IMAGE|> <|VIDEO|>"
).split()
PLAIN_ADDED_TOKENS = (
    "<tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|> "
    "<|repo_name|> <|file_sep|>"
).split()

# Qwen2's word splitter: contractions, words, single digits, punctuation, line ends, spaces.
WORD_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

NAMED_TOKENS = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}

SENTENCES = """
system user assistant
You are Qwen, a virtual human developed by the Qwen Team, Alibaba Group, capable of perceiving
auditory and visual inputs, as well as generating text and speech. You are a helpful assistant.
What is in the picture? What do you hear in this clip? Describe the video and its sound, please.
The quick brown fox jumps over the lazy dog while five boxing wizards watch from the river bank.
There was a small house by the sea where an old man lived with his cat, and every morning he would
walk along the shore to look for something that the night had left behind. One day he found a glass
bottle with a letter inside, and he could not read it, for it was written in a language of birds.
Hello! How are you today? I am fine, thank you; and you? Let us begin, shall we? Yes, of course.
"""

CHAT_TEMPLATE = """
{%- set seen = namespace(image=0, audio=0, video=0) -%}
{%- if messages[0].role != 'system' -%}
  {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {{- '<|im_start|>' + message.role + '\\n' -}}
  {%- if message.content is string -%}
    {{- message.content -}}
  {%- else -%}
    {%- for item in message.content -%}
      {%- if item.type == 'image' or 'image' in item or 'image_url' in item -%}
        {%- set seen.image = seen.image + 1 -%}
        {%- if add_vision_id -%}{{- 'Picture ' ~ seen.image ~ ': ' -}}{%- endif -%}
        {{- '<|vision_bos|><|IMAGE|><|vision_eos|>' -}}
      {%- elif item.type == 'audio' or 'audio' in item or 'audio_url' in item -%}
        {%- set seen.audio = seen.audio + 1 -%}
        {%- if add_audio_id -%}{{- 'Audio ' ~ seen.audio ~ ': ' -}}{%- endif -%}
        {{- '<|audio_bos|><|AUDIO|><|audio_eos|>' -}}
      {%- elif item.type == 'video' or 'video' in item -%}
        {%- set seen.video = seen.video + 1 -%}
        {%- if add_vision_id -%}{{- 'Video ' ~ seen.video ~ ': ' -}}{%- endif -%}
        {{- '<|vision_bos|><|VIDEO|><|vision_eos|>' -}}
      {%- elif 'text' in item -%}
        {{- item.text -}}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
""".strip()

PREPROCESSOR = {
    "processor_class": "Qwen2_5OmniProcessor",
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 128,
    "sampling_rate": 16000,
    "n_fft": 400,
    "hop_length": 160,
    "chunk_length": 300,
    "n_samples": 4800000,
    "nb_max_frames": 30000,
    "dither": 0.0,
    "padding_side": "right",
    "padding_value": 0.0,
    "return_attention_mask": True,
    "image_processor_type": "Qwen2VLImageProcessor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "min_pixels": 3136,
    "max_pixels": 12845056,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
}


def write_tokenizer(
    folder: Path,
    first_special: int,
    sentences: Iterable[str] = tuple(SENTENCES.split("\n")),
    plain_tokens: int = SMALL_PLAIN_TOKENS,
    max_pixels: int = PREPROCESSOR["max_pixels"],
) -> None:
    """Write every file of the tokenizer and the processor.

    first_special: id of <|endoftext|>; ids between the learned tokens and it name no token.
    sentences: what merges are learned from, up to plain_tokens tokens. max_pixels: of a picture.
    """
    vocab, merges = _learn(sentences, plain_tokens)
    special = {t: first_special + i for i, t in enumerate(CONTROL_TOKENS + PLAIN_ADDED_TOKENS)}
    _build({**vocab, **special}, merges).save(str(folder / "tokenizer.json"))
    _dump(folder / "vocab.json", vocab)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    _dump(folder / "added_tokens.json", special)
    _dump(folder / "special_tokens_map.json", _special_tokens_map())
    _dump(folder / "tokenizer_config.json", _tokenizer_config(special))
    _dump(folder / "chat_template.json", {"chat_template": CHAT_TEMPLATE})
    _dump(folder / "preprocessor_config.json", PREPROCESSOR | {"max_pixels": max_pixels})


def _learn(
    sentences: Iterable[str], plain_tokens: int
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """At most plain_tokens byte-level tokens: the 256 bytes first, then one per merge."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = _splitter()
    trainer = trainers.BpeTrainer(
        vocab_size=plain_tokens,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    learner.train_from_iterator(sentences, trainer)
    model = json.loads(learner.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def _build(vocab: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = _splitter()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in CONTROL_TOKENS])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in PLAIN_ADDED_TOKENS])
    return tokenizer


def _splitter() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _special_tokens_map() -> dict:
    return {
        **NAMED_TOKENS,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "additional_special_tokens": CONTROL_TOKENS[1:],
    }


def _tokenizer_config(special: dict[str, int]) -> dict:
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    return {
        **_special_tokens_map(),
        "extra_special_tokens": NAMED_TOKENS,
        "added_tokens_decoder": {
            str(i): {"content": token, **flags, "special": token in CONTROL_TOKENS}
            for token, i in special.items()
        },
        "add_bos_token": False,
        "add_prefix_space": False,
        "bos_token": None,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "model_max_length": 32768,
        "processor_class": "Qwen2_5OmniProcessor",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
    }


def _dump(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2), encoding="utf-8")
