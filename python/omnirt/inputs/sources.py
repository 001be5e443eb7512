"""From what a user names (path, URL, data URI, base64, bytes) to a readable stream of bytes."""

import base64
import binascii
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from omnirt.errors import InputError

_READ_SIZE = 1 << 16
_SHORTEST_BASE64 = 64  # shorter strings are taken for a path: no media file is that small


@dataclass(frozen=True)
class Limits:
    """How much a download may cost: its size in bytes, and its whole duration in seconds."""

    max_bytes: int = 512 << 20
    seconds: float = 60.0


def open_source(value: str | bytes | Path, place: str, limits: Limits) -> BinaryIO:
    """Open a file path, ``file://``, ``http(s)://``, ``data:`` URI, base64 string or bytes.

    place: where the value stands in the messages, for errors. Raises InputError.
    """
    if isinstance(value, bytes):
        return _stream(value, place)
    if not isinstance(value, str | os.PathLike):
        kind = type(value).__name__
        raise InputError(f"{place}: is of type {kind}; give a path, a URL, base64 or bytes")
    text = str(value)
    scheme = text.partition(":")[0].lower()
    if scheme in ("http", "https"):
        return _stream(_download(text, place, limits), place)
    if scheme == "data":
        return _stream(_data_uri(text, place), place)
    if scheme == "file":
        return _open_file(_file_uri(text, place), place)
    if len(text) >= _SHORTEST_BASE64 and not os.path.exists(text):
        data = _base64(text)
        if data is not None:
            return _stream(data, place)
    return _open_file(Path(text), place)


def _stream(data: bytes, place: str) -> BytesIO:
    if not data:
        raise InputError(f"{place}: the media is empty (0 bytes)")
    return BytesIO(data)


def _file_uri(text: str, place: str) -> Path:
    try:
        return Path(urllib.request.url2pathname(urllib.parse.urlsplit(text).path))
    except ValueError as error:
        raise InputError(f"{place}: {text[:80]!r} is no file: URI: {error}") from None


def _open_file(path: Path, place: str) -> BinaryIO:
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise InputError(f"{place}: {path} is a pipe or a device, name a file")
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise InputError(f"{place}: no such file: {path}") from None
    except IsADirectoryError:
        raise InputError(f"{place}: {path} is a folder, name a file") from None
    except OSError as error:
        raise InputError(f"{place}: cannot read {str(path)[:80]!r}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{place}: cannot read {str(path)[:80]!r}: {error}") from None
    if os.fstat(stream.fileno()).st_size == 0:
        stream.close()
        raise InputError(f"{place}: {path} is empty (0 bytes)")
    return stream


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _data_uri(text: str, place: str) -> bytes:
    head, comma, body = text.partition(",")
    if not comma:
        raise InputError(f"{place}: {text[:40]!r} is no data: URI, there is no comma in it")
    if not head.endswith(";base64"):
        return urllib.parse.unquote_to_bytes(body)
    data = _base64(body)
    if data is None:
        raise InputError(f"{place}: the data: URI does not hold valid base64")
    return data


def _download(url: str, place: str, limits: Limits) -> bytes:
    deadline = time.monotonic() + limits.seconds
    chunks: list[bytes] = []
    size = 0
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "omnirt"})
        with urllib.request.urlopen(request, timeout=limits.seconds) as response:
            while chunk := response.read1(_READ_SIZE):
                chunks.append(chunk)
                size += len(chunk)
                if size > limits.max_bytes:
                    raise InputError(f"{place}: {url} is larger than {limits.max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError
            whole = int(response.headers.get("Content-Length") or size)
            if size < whole:
                raise HTTPException(f"it broke off after {size} of {whole} bytes")
    except InputError:
        raise
    except TimeoutError:
        raise InputError(f"{place}: {url} took more than {limits.seconds:g} s") from None
    except urllib.error.HTTPError as error:
        raise InputError(f"{place}: {url} answered {error.code} {error.reason}") from None
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise InputError(f"{place}: cannot fetch {url}: {reason}") from None
    return b"".join(chunks)
