"""Stand-ins that the tests share."""


class DictWeights(dict):
    """A ``Weights`` view over a plain dict of tensors: ``w["a.b"]`` and ``w.scope("a")["b"]``."""

    def scope(self, prefix: str) -> "DictWeights":
        start = prefix + "."
        return DictWeights({k[len(start) :]: v for k, v in self.items() if k.startswith(start)})
