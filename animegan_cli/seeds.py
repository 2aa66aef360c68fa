"""Lists of seeds as text."""

from collections.abc import Iterable, Iterator
from itertools import chain


def parse_seeds(text: str) -> list[range]:
    """Read a list of seeds such as ``1,5,10-20`` (ends included) as ranges.

    Raises:
        ValueError: if the text is not such a list; the message says what is expected.
    """
    ranges = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError("seeds look like 1,5,10-20")
        begin, end = int(first), int(last or first)
        if end < begin or end >= 2**63:
            raise ValueError(f"{part.strip()} is no range of seeds from 0 to 2^63 - 1")
        ranges.append(range(begin, end + 1))
    return ranges


class Spans:
    """Seeds in the order in which they came, in memory for their spans and not for each.

    Written out, they are a list that ``--seeds`` reads: 1, 2, 3, 7 -> ``1-3,7``.
    """

    def __init__(self, seeds: Iterable[int] = ()) -> None:
        self.ranges: list[range] = []
        self._count = 0
        self.extend(seeds)

    def extend(self, seeds: Iterable[int]) -> None:
        """Add seeds at the end."""
        for seed in seeds:
            self._count += 1
            if self.ranges and seed == self.ranges[-1].stop:
                self.ranges[-1] = range(self.ranges[-1].start, seed + 1)
            else:
                self.ranges.append(range(seed, seed + 1))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self.ranges)

    def __str__(self) -> str:
        return ",".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in self.ranges)
