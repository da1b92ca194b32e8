"""Seeds of units of work: each depends on the seed of the experiment and the names of the unit alone."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Seeds:
    """Seeds of units by name.

    Attributes
    ----------
    seed : int
        Of the experiment.
    others : tuple of (str, int)
        Units whose seeds are others: kind of seed and its number, from 1; none in a run itself.
    """

    seed: int
    others: tuple[tuple[str, int], ...] = ()

    def __call__(self, *names: object) -> int:
        """Seed of one unit."""
        text = "/".join(str(part) for part in (self.seed, *names, *(x for pair in self.others for x in pair)))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little") >> 1
