"""The writer: complete, repeatable, loadable by transformers, with any voices."""

import pytest
import torch
from tokenizers import Tokenizer

import hf
from omnirt.errors import InputError
from omnirt.weights import random_checkpoint
from omnirt.weights.checkpoint import Checkpoint
from omnirt.weights.random_checkpoint import write_random_checkpoint
from omnirt.weights.random_tokenizer import CONTROL_TOKENS, PREPROCESSOR, write_tokenizer
from omnirt.weights.tensor_files import SINGLE_FILE

TEXTS = ["Say hello, Qwen!", "naïve Straße 東京 🙂\n\n  two", "it's 1234.5 <|im_end|> end"]


def test_same_seed_same_file(checkpoint, tmp_path):
    again = write_random_checkpoint(tmp_path / "again", "tiny")
    other = write_random_checkpoint(tmp_path / "other", "tiny", seed=1)
    want = (checkpoint("tiny") / SINGLE_FILE).read_bytes()
    assert (again / SINGLE_FILE).read_bytes() == want
    assert (other / SINGLE_FILE).read_bytes() != want


def test_unknown_preset_and_full_folder(tmp_path):
    with pytest.raises(InputError, match="preset='huge': use one of 3b, 7b"):
        write_random_checkpoint(tmp_path / "m", "huge")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is there already"):
        write_random_checkpoint(tmp_path, "tiny")


def test_folder_appears_only_when_complete(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(random_checkpoint, "write_shards", fail)
    with pytest.raises(OSError, match="disk full"):
        write_random_checkpoint(tmp_path / "model", "tiny")
    assert list(tmp_path.iterdir()) == []


def test_other_voices(tmp_path):
    names = ("Anna", "Bert", "Cleo")
    folder = write_random_checkpoint(tmp_path / "model", "odd", voices=names)
    speakers = Checkpoint.open(folder).speakers
    assert tuple(speakers) == names
    assert len({speaker.bos_token for speaker in speakers.values()}) == 3
    assert not torch.equal(speakers["Anna"].cond, speakers["Bert"].cond)


def test_weights_are_lively(checkpoint):
    """No row twice in a table; only plain tokens and codes can win; frequencies as released."""
    opened = Checkpoint.open(checkpoint("tiny"))
    view, config = opened.weights(), opened.config
    table = view["talker.model.embed_tokens.weight"].float()
    assert len(torch.unique(table, dim=0)) == len(table)
    head = view["thinker.lm_head.weight"].float().abs().sum(1)
    assert (head > 0).sum() == (head[: config.thinker.pad_id] > 0).sum() == config.thinker.pad_id
    codes = view["talker.codec_head.weight"].float().abs().sum(1)
    assert not codes[config.token2wav.dit.num_codes :].any()
    stored = view["token2wav.code2wav_dit_model.rotary_embed.inv_freq"]
    assert torch.equal(stored, stored.to(torch.bfloat16).float())
    assert stored[0] == 1


def test_full_size_keeps_the_released_ids(tmp_path):
    write_tokenizer(tmp_path, 151643)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = [tokenizer.token_to_id(token) for token in CONTROL_TOKENS]
    assert ids == list(range(151643, 151643 + len(CONTROL_TOKENS)))
    assert tokenizer.token_to_id("<|AUDIO|>") == 151646
    assert tokenizer.token_to_id("<|IMAGE|>") == 151655
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        assert tokenizer.decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("name", ["tiny", "tiny-7b", "odd"])
def test_transformers_finds_every_tensor(checkpoint, name):
    released = hf.transformers.Qwen2_5OmniForConditionalGeneration
    load = hf.transformers.PreTrainedModel.from_pretrained.__func__
    folder = checkpoint(name)
    model, info = load(released, str(folder), dtype=torch.float32, output_loading_info=True)
    assert not any(info.values()), info
    view = Checkpoint.open(folder).weights()
    for key, value in model.state_dict().items():
        assert torch.equal(value, view[key].float()), key


def test_processor_loads(checkpoint):
    processor = hf.load_processor(checkpoint("tiny"))
    assert processor.audio_token == "<|AUDIO|>"
    assert processor.image_processor.max_pixels == PREPROCESSOR["max_pixels"]
    assert processor.feature_extractor.n_samples == 4_800_000
    tokenizer = Tokenizer.from_file(str(checkpoint("tiny") / "tokenizer.json"))
    for text in TEXTS:
        assert processor.tokenizer(text).input_ids == tokenizer.encode(text).ids


def test_chat_template(checkpoint):
    processor = hf.load_processor(checkpoint("tiny"))
    content = [
        {"type": "image", "image": "a"},
        {"type": "text", "text": "one"},
        {"type": "audio", "audio": "b"},
        {"type": "video", "video": "c"},
    ]
    chat = [{"role": "user", "content": content}, {"role": "assistant", "content": "two"}]
    text = processor.apply_chat_template([chat], add_generation_prompt=True, tokenize=False)[0]
    assert text == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n<|vision_bos|><|IMAGE|><|vision_eos|>one"
        "<|audio_bos|><|AUDIO|><|audio_eos|><|vision_bos|><|VIDEO|><|vision_eos|><|im_end|>\n"
        "<|im_start|>assistant\ntwo<|im_end|>\n<|im_start|>assistant\n"
    )
    system = {"role": "system", "content": [{"type": "text", "text": "s"}]}
    chat = [system, {"role": "user", "content": content[:1] * 2}]
    text = processor.apply_chat_template([chat], add_vision_id=True, tokenize=False)[0]
    assert text.startswith("<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nPicture 1: <|vis")
    assert "Picture 2: " in text
