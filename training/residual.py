"""How loud the Thinker's residual stream is: free, as every layer normalises what it reads.

The Talker reads last hidden state + embedding. The first has unit size whatever the second's, and
tells more of the next word than of this one; an embedding as small as training leaves it is lost
beside it. So the embedding and all that is added to it are multiplied by a power of two. States and
logits stay the same (RMSNorm, arXiv 1910.07467) but for the norm's epsilon.
"""

import re
from collections.abc import Mapping

from torch import Tensor

LOUDNESS = 256.0
_WRITERS = re.compile(
    r"\bmodel\.embed_tokens\.weight$"
    r"|\bmodel\.layers\.\d+\.(self_attn\.o_proj|mlp\.down_proj)\.weight$"
    r"|\baudio_tower\.proj\.(weight|bias)$"
    r"|\bvisual\.merger\.mlp\.2\.(weight|bias)$"
)


def louder(thinker: Mapping[str, Tensor], factor: float = LOUDNESS) -> dict[str, Tensor]:
    """The Thinker's parameters by name, those that write to the residual stream times factor."""
    return {n: value * factor if _WRITERS.search(n) else value for n, value in thinker.items()}
