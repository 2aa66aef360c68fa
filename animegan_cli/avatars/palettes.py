"""The curated colours of the avatars and the tones that are derived from them."""

import colorsys
from dataclasses import dataclass

Colour = tuple[int, int, int]

SKINS: dict[str, tuple[str, str, str]] = {  # base, shadow, blush
    "porcelain": ("fff0e6", "f3c9bd", "ff9f9f"),
    "fair": ("ffe6d5", "eebba6", "ff8f8a"),
    "rosy": ("fddcd0", "e8ada2", "f97f86"),
    "peach": ("fbd9bd", "e3a987", "f4836f"),
    "honey": ("f2c79d", "d39a70", "e8735c"),
    "tan": ("dda77b", "b97d55", "d45f4c"),
    "bronze": ("bf8459", "985f3d", "bb4f41"),
    "brown": ("9b6543", "77472f", "a3423a"),
    "deep": ("75492f", "573221", "8c3a35"),
}

HAIRS: dict[str, str] = {
    "black": "3b3542",
    "blue-black": "363d5c",
    "espresso": "553d38",
    "chestnut": "8a5540",
    "caramel": "b97f52",
    "honey-blond": "e2b565",
    "blond": "f4d98d",
    "platinum": "f3e9d2",
    "silver": "cfd5e3",
    "ash": "8f93a8",
    "white": "f3f2f8",
    "auburn": "a8442f",
    "red": "d2413f",
    "orange": "ee8545",
    "pink": "f7a3bd",
    "rose": "df5f8d",
    "lilac": "c3a5e6",
    "purple": "7c57b4",
    "navy": "40559d",
    "blue": "5189db",
    "sky": "8fccf0",
    "aqua": "5cc7c4",
    "mint": "a2e2c3",
    "green": "5ba268",
    "lime": "bad86b",
}

EYES: dict[str, str] = {
    "brown": "8a4f35",
    "hazel": "a97b3e",
    "amber": "ea9f2c",
    "gold": "f3c93a",
    "green": "46a35a",
    "emerald": "19a57e",
    "teal": "23a6ac",
    "sky": "47b2ec",
    "blue": "3f71dc",
    "indigo": "5553c4",
    "violet": "9355d2",
    "magenta": "d04cb1",
    "pink": "f0709d",
    "red": "d83a48",
    "grey": "7d879c",
}

CLOTHES: dict[str, str] = {
    "white": "f6f4f3",
    "cream": "f6e7cc",
    "black": "3a3845",
    "charcoal": "5d6070",
    "navy": "34477f",
    "blue": "5286d2",
    "sky": "a3d2f0",
    "teal": "3d9d9b",
    "mint": "addfc8",
    "green": "56955d",
    "mustard": "e2b343",
    "orange": "ee8a4c",
    "coral": "f27f78",
    "red": "c93f49",
    "wine": "843650",
    "pink": "f6b0c5",
    "lavender": "c3b0ea",
    "purple": "7757b3",
}

BACKDROPS: dict[str, tuple[str, str]] = {
    "dawn": ("ffe0cf", "ffb7b7"),
    "sky": ("d6f0ff", "93cdf4"),
    "mint": ("e0f8ea", "a3e0c7"),
    "lemon": ("fff7d1", "ffdf8c"),
    "lilac": ("efe4ff", "c5b0f2"),
    "rose": ("ffe8ef", "fab5cb"),
    "sand": ("f8ecda", "e2c7a0"),
    "fog": ("f1f4f8", "c3cddb"),
    "sea": ("b6ebe9", "57b2c4"),
    "dusk": ("8d7fc7", "473f85"),
    "night": ("4b5c92", "252c55"),
    "forest": ("93c493", "447f6a"),
    "ember": ("ffb981", "e8675f"),
    "plum": ("d390bd", "834f8f"),
    "slate": ("93a4b8", "536379"),
}

WHITE: Colour = (255, 255, 255)
INK: Colour = (48, 32, 56)


@dataclass(frozen=True)
class Tones:
    """One colour with its light, shadow, deep shadow and line."""

    base: Colour
    light: Colour
    shadow: Colour
    deep: Colour
    line: Colour


def rgb(code: str) -> Colour:
    """Read a colour of six hexadecimal digits."""
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; ``share`` is how much of the second."""
    r, g, b = (round(p + (q - p) * share) for p, q in zip(first, second, strict=True))
    return r, g, b


def jitter(colour: Colour, hue: float, saturation: float, value: float) -> Colour:
    """Shift a colour a little in hue, saturation and value."""
    h, s, v = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    s = min(max(s * (1 + saturation), 0.0), 1.0)
    v = min(max(v * (1 + value), 0.0), 1.0)
    r, g, b = (round(part * 255) for part in colorsys.hsv_to_rgb((h + hue) % 1.0, s, v))
    return r, g, b


def brightness(colour: Colour) -> float:
    """Return how bright a colour looks, from 0 to 1."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


def distance(first: Colour, second: Colour) -> int:
    """Return how far two colours lie apart, from 0 to 765."""
    return sum(abs(p - q) for p, q in zip(first, second, strict=True))


def tones(base: Colour) -> Tones:
    """Derive the tones of hair or cloth: shadows lean to violet, lights to warm white."""
    dark = 1 - brightness(base)
    return Tones(
        base=base,
        light=mix(base, (255, 250, 240), 0.5 - 0.22 * dark),
        shadow=mix(_times(base, 0.78), (92, 60, 140), 0.16),
        deep=mix(_times(base, 0.6), (62, 38, 100), 0.22),
        line=mix(_times(base, 0.4), (48, 24, 60), 0.35),
    )


def _times(colour: Colour, factor: float) -> Colour:
    r, g, b = (round(part * factor) for part in colour)
    return r, g, b
