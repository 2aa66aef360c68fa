"""Lists of seeds as text."""


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
