"""Text to ids and back, with the checkpoint's own byte-level BPE."""

import codecs
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from omnirt.errors import CheckpointError

from .files import read_object, read_text

# How Qwen2 (arXiv 2407.10671) cuts text before BPE; used where a checkpoint has no tokenizer.json.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class TextTokenizer:
    """The tokenizer of a checkpoint. ``control``: id of every special token, by its name."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = (
            True  # a special token's name is text like any other
        )
        added = tokenizer.get_added_tokens_decoder()
        self.control = {token.content: i for i, token in added.items() if token.special}
        self._literal = {i: t.content.encode() for i, t in added.items() if not t.special}

    @classmethod
    def from_folder(cls, folder: Path) -> "TextTokenizer":
        """Read tokenizer.json, or vocab.json, merges.txt and tokenizer_config.json without it."""
        path = folder / "tokenizer.json"
        if not path.exists():
            return cls(_from_vocabulary(folder))
        model = read_object(path).get("model")
        kind = model.get("type") if isinstance(model, dict) else None
        if kind not in (None, "BPE"):
            raise CheckpointError(f"{path}: model.type={kind!r}, only byte-level BPE is known")
        if kind is None or not {"vocab", "merges"} <= model.keys():
            raise CheckpointError(f"{path}: damaged, no tokenizer in it; download it again")
        return cls(Tokenizer.from_str(read_text(path)))

    def id_of(self, name: str) -> int:
        """The id of a special token such as ``<|im_end|>``; CheckpointError if there is none."""
        if name not in self.control:
            raise CheckpointError(f"the tokenizer has no special token {name!r}")
        return self.control[name]

    def encode(self, text: str) -> list[int]:
        """Ids of plain text: names of special tokens in it are spelled out, not interpreted."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: list[int]) -> str:
        """Text of ids; special tokens and ids outside the vocabulary are left out."""
        detokenizer = Detokenizer(self)
        return "".join(map(detokenizer.push, ids)) + detokenizer.flush()

    def bytes_of(self, token_id: int) -> bytes:
        """UTF-8 that one id stands for; it may end inside a character."""
        if token_id in self._literal:
            return self._literal[token_id]
        token = self._tokenizer.id_to_token(token_id)
        if token is None or token in self.control:
            return b""
        return bytes(_BYTE_OF[letter] for letter in token)


class Detokenizer:
    """Text of a reply as it is written; a character is given out once all its bytes are there."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token_id: int) -> str:
        """Text that this id completes, often all of its own, sometimes none."""
        return self._utf8.decode(self._tokenizer.bytes_of(token_id))

    def flush(self) -> str:
        """What is left at the end: a replacement character if a character stayed incomplete."""
        return self._utf8.decode(b"", final=True)


def _byte_letters() -> dict[str, int]:
    """The letter that byte-level BPE (GPT-2) writes for a byte: a printable one is itself."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTE_OF = _byte_letters()


def _from_vocabulary(folder: Path) -> Tokenizer:
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        if not (folder / name).exists():
            raise CheckpointError(f"{folder}: neither tokenizer.json nor {name} is there")
    added = read_object(folder / "tokenizer_config.json").get("added_tokens_decoder", {})
    vocab = read_object(folder / "vocab.json")
    vocab |= {token["content"]: int(i) for i, token in added.items()}
    lines = read_text(folder / "merges.txt").splitlines()
    pairs = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    tokenizer = Tokenizer(models.BPE(vocab, [tuple(pair) for pair in pairs]))
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(_WORDS), behavior="isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens(
        [
            AddedToken(token["content"], special=token["special"], normalized=False)
            for token in added.values()
        ]
    )
    return tokenizer
