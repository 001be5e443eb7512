"""What models are asked where the user names no folder."""

from importlib import resources

from omnirt.conversation import ask

_TEXTS = (
    "Who wrote Faust, and what is it about?",
    "Explain in three sentences why the sky is blue.",
    "Write a short poem about the sea in winter.",
    "What is 17 times 23? Show how you got there.",
    "Translate into German: The train leaves at noon, and nobody is on the platform.",
)


def questions() -> dict[str, list[dict]]:
    """Texts, and the sound, picture and video that ship with the package."""
    assets = resources.files("omnirt") / "assets"
    found = {f"text {i}": ask(text=[text]) for i, text in enumerate(_TEXTS, start=1)}
    found["sound"] = ask(audio=[str(assets / "question.wav")])
    found["picture"] = ask(image=[str(assets / "picture.png")], text=["What is in the picture?"])
    found["video"] = ask(video=[str(assets / "video.mp4")], text=["What happens here?"])
    return found
