"""Pictures of coloured shapes, clips of moving ones, and their sounds."""

import io
import math
from random import Random

import av
import numpy as np
from PIL import Image, ImageDraw

from .world import Clip, Picture

PAINT = {
    "red": (215, 35, 35),
    "green": (40, 160, 60),
    "blue": (40, 70, 210),
    "yellow": (240, 215, 40),
    "purple": (140, 50, 160),
    "orange": (245, 135, 30),
    "black": (25, 25, 25),
    "pink": (240, 130, 180),
    "brown": (115, 70, 35),
    "grey": (125, 125, 125),
    "cyan": (60, 195, 205),
    "lime": (165, 215, 60),
    "navy": (20, 30, 95),
    "olive": (120, 115, 35),
    "maroon": (105, 20, 45),
}
SIZES = ((112, 112), (140, 84), (84, 140), (112, 84))  # of pictures, pixels
CLIP_SIZE = (112, 112)
SMOOTH = 2  # drawn so many times larger
_CODING = {"crf": "20", "preset": "veryfast"}
CLIP_SECONDS, CLIP_RATE, SOUND_RATE = 2, 8, 16_000


def draw(seen: Picture, rng: Random, size: tuple[int, int] = SIZES[0]) -> np.ndarray:
    """uint8 [H, W, 3]: the shapes apart from each other, on paper of a light colour."""
    page, most = _page(size, rng), min(size) * (0.4 if seen.count == 1 else 0.19)
    radius = rng.uniform(min(size) * (0.15 if seen.count == 1 else 0.12), most)
    centres: list[tuple[float, float]] = []
    while len(centres) < seen.count:
        centre = tuple(rng.uniform(radius + 1, side - radius - 1) for side in size)
        if all(math.dist(centre, other) > 2.1 * radius for other in centres):
            centres.append(centre)
        elif rng.random() < 0.02:  # no room left
            centres, radius = [], radius * 0.95
    colour = _shade(seen.colour, rng)
    for centre in centres:
        _shape(page, seen.shape, colour, centre, radius, rng.uniform(-0.3, 0.3))
    return np.asarray(page.resize(size, Image.Resampling.BOX))


def film(seen: Clip, rng: Random, sound: bool = True) -> bytes:
    """An MP4 file: one shape that moves all the way, and the sound."""
    paper, radius = _paper(rng), rng.uniform(11, 20)
    colour, turn = _shade(seen.colour, rng), rng.uniform(-0.3, 0.3)
    start, step = _path(seen.direction, radius, rng)
    frames = []
    for at in np.linspace(0, 1, CLIP_SECONDS * CLIP_RATE):
        page = Image.new("RGB", tuple(SMOOTH * side for side in CLIP_SIZE), paper)
        centre = tuple(s + at * d for s, d in zip(start, step, strict=True))
        _shape(page, seen.shape, colour, centre, radius, turn)
        frames.append(np.asarray(page.resize(CLIP_SIZE, Image.Resampling.BOX)))
    return _encode(frames, make_sound(seen.sound, rng) if sound else None)


def make_sound(name: str, rng: Random) -> np.ndarray:
    """float32 [n] at SOUND_RATE, CLIP_SECONDS long."""
    t = np.arange(CLIP_SECONDS * SOUND_RATE) / SOUND_RATE
    noise = np.random.default_rng(rng.getrandbits(32)).normal(size=len(t))
    since = (t - rng.uniform(0, 0.3)) % rng.uniform(0.45, 0.9)  # seconds since the last stroke
    pitch = rng.uniform(0.8, 1.25)
    if name == "beep":
        wave = np.sin(2 * np.pi * 1000 * pitch * t) * (since < 0.2)
    elif name == "bell":
        partials = sum(np.sin(2 * np.pi * 620 * pitch * r * since) / r for r in (1, 2.4, 3.9, 5.4))
        wave = partials * np.exp(-5 * since)
    elif name == "drum":
        thump = np.sin(2 * np.pi * 75 * pitch * since * (1 + 0.5 * np.exp(-30 * since)))
        wave = thump * np.exp(-12 * since) + 0.15 * noise * np.exp(-60 * since)
    elif name == "whistle":
        slide = 1400 * pitch * since + 700 * since**2
        wave = np.sin(2 * np.pi * slide) * (since < 0.4)
    else:
        wave = noise * 0.4
    wave = wave * rng.uniform(0.15, 0.6) / max(np.abs(wave).max(), 1e-6)
    return (wave + noise * 10 ** rng.uniform(-4.5, -2.5)).clip(-1, 1).astype(np.float32)


def _paper(rng: Random) -> tuple[int, int, int]:
    light = rng.randint(195, 250)
    return tuple(min(255, light + rng.randint(-8, 8)) for _ in range(3))


def _page(size: tuple[int, int], rng: Random) -> Image.Image:
    return Image.new("RGB", tuple(SMOOTH * side for side in size), _paper(rng))


def _shade(colour: str, rng: Random) -> tuple[int, int, int]:
    return tuple(max(0, min(255, v + rng.randint(-15, 15))) for v in PAINT[colour])


def _shape(
    page: Image.Image,
    shape: str,
    colour: tuple[int, int, int],
    centre: tuple[float, float],
    radius: float,
    turn: float,
) -> None:
    """centre, radius: pixels of the finished picture. turn: radians."""
    pen, (x, y), r = ImageDraw.Draw(page), (SMOOTH * c for c in centre), SMOOTH * radius
    if shape == "circle":
        pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    elif shape == "ring":
        pen.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=max(2, round(r * 0.32)))
    else:
        corners, inner = {"triangle": (3, 1), "square": (4, 1), "star": (5, 0.42)}[shape]
        first = turn - math.pi / (2 if corners % 2 else 4)
        steps = corners * (2 if inner < 1 else 1)
        angles = [first + 2 * math.pi * i / steps for i in range(steps)]
        reach = [r * (inner if inner < 1 and i % 2 else 1) for i in range(steps)]
        points = zip(angles, reach, strict=True)
        pen.polygon([(x + q * math.cos(a), y + q * math.sin(a)) for a, q in points], fill=colour)


def _path(
    direction: str, radius: float, rng: Random
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Start and way of the centre, pixels."""
    along = rng.uniform(40, CLIP_SIZE[0] - 2 * radius - 2)
    axis, sign = {"left": (0, -1), "right": (0, 1), "up": (1, -1), "down": (1, 1)}[direction]
    start, way = [0.0, 0.0], [0.0, 0.0]
    start[1 - axis] = rng.uniform(radius + 1, CLIP_SIZE[1] - radius - 1)
    free = CLIP_SIZE[axis] - 2 * radius - along
    start[axis] = radius + rng.uniform(0, free) + (along if sign < 0 else 0)
    way[axis] = sign * along
    return tuple(start), tuple(way)


def _encode(frames: list[np.ndarray], sound: np.ndarray | None) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        picture = container.add_stream("h264", rate=CLIP_RATE, options=_CODING)
        picture.width, picture.height, picture.pix_fmt = *CLIP_SIZE, "yuv420p"
        voice = None if sound is None else container.add_stream("aac", rate=SOUND_RATE)
        for pixels in frames:
            container.mux(picture.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(picture.encode())
        if voice is not None:
            samples = (sound * 32767).astype(np.int16)[None]
            track = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            track.sample_rate = SOUND_RATE
            container.mux(voice.encode(track))
            container.mux(voice.encode())
    return file.getvalue()
