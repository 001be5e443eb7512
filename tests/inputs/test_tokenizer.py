"""Text to ids and back, beside the tokenizers that transformers loads."""

import shutil

import pytest

from omnirt.errors import CheckpointError
from omnirt.inputs.tokenizer import Detokenizer, TextTokenizer

TEXTS = [
    "What do you see?",
    " \n\n  spaces\t and\r\nlines \n",
    "naïve cafe\u0301 你好，世界 🎉👩‍👩‍👧 we'LL 12345",
    "<tool_call>{}</tool_call>",
]


@pytest.mark.parametrize("text", TEXTS)
def test_same_ids_as_the_released_tokenizer(text, processor, released):
    ids = processor.tokenizer.encode(text)
    assert ids == released.tokenizer(text)["input_ids"]
    assert processor.tokenizer.decode(ids) == released.tokenizer.decode(ids)


def test_from_vocabulary_and_merges(folder, tmp_path, processor):
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path)
    other = TextTokenizer.from_folder(tmp_path)
    assert other.control == processor.tokenizer.control
    for text in TEXTS:
        assert other.encode(text) == processor.tokenizer.encode(text)


def test_detokenizer_holds_back_half_characters(processor):
    text = "a 👩‍👩‍👧 é"
    ids = processor.tokenizer.encode(text)
    detokenizer = Detokenizer(processor.tokenizer)
    parts = [detokenizer.push(i) for i in ids]
    assert "\ufffd" not in "".join(parts)
    assert "" in parts
    assert "".join(parts) + detokenizer.flush() == processor.tokenizer.decode(ids)


def test_cut_off_character_comes_out_as_replacement(processor):
    ids = processor.tokenizer.encode("é你")[:-1]
    detokenizer = Detokenizer(processor.tokenizer)
    text = "".join(map(detokenizer.push, ids)) + detokenizer.flush()
    assert text == "é\ufffd"


@pytest.mark.parametrize("seed", range(8))
def test_any_ids_decode_as_the_library_decodes_them(seed, processor, released):
    import random

    ids = random.Random(seed).choices(range(600), k=200)
    want = released.tokenizer.decode(
        [i for i in ids if released.tokenizer.convert_ids_to_tokens(i) is not None],
        skip_special_tokens=True,
    )
    assert processor.tokenizer.decode(ids) == want


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "damaged"), ("{}", "damaged"), ('{"model": {"type": "Unigram"}}', "only byte-level")],
)
def test_damaged_file_is_named(content, message, tmp_path):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match=message):
        TextTokenizer.from_folder(tmp_path)


def test_missing_files_and_tokens_are_named(tmp_path, processor):
    with pytest.raises(CheckpointError, match=r"neither tokenizer.json nor vocab.json"):
        TextTokenizer.from_folder(tmp_path)
    with pytest.raises(CheckpointError, match="no special token"):
        processor.tokenizer.id_of("<|vision_start|>")
