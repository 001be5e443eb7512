"""Bytes from anywhere, within limits."""

import base64
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import pytest

from omnirt.errors import InputError
from omnirt.inputs.sources import Limits, open_source

DATA = bytes(range(256))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/missing":
            return self.send_error(404, "Not Found")
        self.send_response(200)
        if self.path == "/broken":
            self.send_header("Content-Length", str(len(DATA) + 1))
        self.end_headers()
        if self.path == "/slow":
            for _ in range(20):
                time.sleep(0.05)
                self.wfile.write(b"x")
        elif self.path == "/stuck":
            time.sleep(1.0)
        elif self.path != "/empty":
            self.wfile.write(DATA)

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def read(value, limits=Limits()) -> bytes:  # noqa: B008
    with open_source(value, "here", limits) as stream:
        return stream.read()


def test_every_form(tmp_path, server):
    path = tmp_path / "a file.bin"
    path.write_bytes(DATA)
    encoded = base64.b64encode(DATA).decode()
    forms = [
        DATA,
        path,
        str(path),
        path.as_uri(),
        encoded,
        encoded[:80] + "\n" + encoded[80:],
        "data:audio/wav;base64," + encoded,
        "data:," + "".join(f"%{byte:02x}" for byte in DATA),
        server + "/file",
    ]
    assert [read(form) for form in forms] == [DATA] * len(forms)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (b"", r"here: the media is empty"),
        ("data:audio/wav;base64,", "the media is empty"),
        ("data:audio/wav;base64", "no comma"),
        ("data:audio/wav;base64,@@@@", "not hold valid base64"),
        ("nowhere.wav", "no such file: nowhere.wav"),
        ("/no/such/folder/" + "a" * 80 + ".wav", "no such file"),
        ("file:///nowhere.wav", "no such file: /nowhere.wav"),
        ("x" * 5000 + ".wav", "File name too long"),
        ("a\0b", "cannot read"),
        (".", "is a folder"),
        ("http://127.0.0.1:9/a.wav", "cannot fetch"),
        ("http://[bad", "cannot fetch"),
        ("file://[bad", "is no file: URI"),
        (5, "is of type int; give a path"),
        (BytesIO(DATA), "is of type BytesIO; give a path"),
    ],
)
def test_errors_name_the_cause(value, error):
    with pytest.raises(InputError, match=error):
        read(value)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(InputError, match="is a pipe or a device"):
        read(tmp_path / "a.wav")


def test_a_download_that_breaks_off_is_not_used(server):
    with pytest.raises(InputError, match="broke off after 256 of 257 bytes"):
        read(server + "/broken")


def test_empty_file(tmp_path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(InputError, match=r"a.wav is empty \(0 bytes\)"):
        read(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/missing", "answered 404 Not Found"),
        ("/empty", "the media is empty"),
        ("/file", "larger than 200 bytes"),
        ("/slow", r"took more than 0.3 s"),
        ("/stuck", r"took more than 0.3 s"),
    ],
)
def test_downloads_are_limited(path, error, server):
    begin = time.monotonic()
    with pytest.raises(InputError, match=error):
        read(server + path, Limits(max_bytes=200, seconds=0.3))
    assert time.monotonic() - begin < 0.9
