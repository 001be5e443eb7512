"""Makes the small media files of omnirt/assets: python tests/make_media.py (needs espeak-ng)."""

import subprocess
import wave
from pathlib import Path

import av
import numpy as np
import soxr
from PIL import Image, ImageDraw

ASSETS = Path(__file__).resolve().parents[1] / "python" / "omnirt" / "assets"
QUESTION = "What do you see and hear?"
RATE = 16000  # Hz


def speak(text: str) -> np.ndarray:
    """int16 [n] at RATE."""
    command = ["espeak-ng", "-v", "en-us", "-s", "150", "--stdout", text]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    start = spoken.index(b"data") + 8  # a stream's header does not know its length
    rate = int.from_bytes(spoken[24:28], "little")
    return soxr.resample(np.frombuffer(spoken[start:], np.int16), rate, RATE)


def write_question(path: Path) -> None:
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(speak(QUESTION).tobytes())


def write_picture(path: Path) -> None:
    picture = Image.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 60, 120, 160), fill="red")
    draw.rectangle((130, 70, 210, 150), fill="blue")
    draw.polygon([(260, 60), (220, 150), (300, 150)], fill="green")
    picture.save(path, optimize=True)


def ball(time: float) -> np.ndarray:
    """uint8 [180, 240, 3]: a yellow ball that crosses a blue sky once in 3 s."""
    picture = Image.new("RGB", (240, 180), "skyblue")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 140, 240, 180), fill="seagreen")
    x, y = 20 + 66 * time, 125 - 80 * abs(np.sin(np.pi * time))
    draw.ellipse((x - 15, y - 15, x + 15, y + 15), fill="gold")
    return np.asarray(picture)


def bounces(seconds: float) -> np.ndarray:
    """float32 [1, n] at RATE: a short tone each time the ball touches the ground, once a second."""
    time = np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * 440 * time) * np.exp(-12 * (time % 1.0))
    return (0.5 * tone).astype(np.float32)[None]


def write_video(path: Path, seconds: float = 3.0, fps: int = 20) -> None:
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=fps, options={"crf": "23", "threads": "1"})
        video.width, video.height, video.pix_fmt = 240, 180, "yuv420p"
        sound = out.add_stream("aac", rate=RATE, layout="mono")
        for i in range(int(seconds * fps)):
            out.mux(video.encode(av.VideoFrame.from_ndarray(ball(i / fps), format="rgb24")))
        out.mux(video.encode())
        frame = av.AudioFrame.from_ndarray(bounces(seconds), format="fltp", layout="mono")
        frame.sample_rate = RATE
        out.mux(sound.encode(frame))
        out.mux(sound.encode())


if __name__ == "__main__":
    ASSETS.mkdir(exist_ok=True)
    write_question(ASSETS / "question.wav")
    write_picture(ASSETS / "picture.png")
    write_video(ASSETS / "video.mp4")
