"""What one avatar looks like: every choice that a seed makes, apart from how it is drawn."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from animegan_cli.avatars.palettes import (
    BACKDROPS,
    CLOTHES,
    EYES,
    HAIRS,
    brightness,
    distance,
    rgb,
)

Weights = Mapping[str, int]


def _even(names: Mapping[str, object]) -> Weights:
    return dict.fromkeys(names, 1)


CHOICES: dict[str, Weights] = {
    "skin": {
        "porcelain": 4, "fair": 6, "rosy": 4, "peach": 5, "honey": 3,
        "tan": 2, "bronze": 2, "brown": 2, "deep": 1,
    },
    "face": {"oval": 3, "round": 2, "pointed": 3},
    "hair": _even(HAIRS),
    "dye": {"plain": 7, "tips": 2, "streak": 1},
    "back": {
        "short": 3, "spiky": 3, "wolf": 2, "bob": 4, "curl-bob": 2, "straight": 5, "wavy": 4,
        "twin-tails": 4, "low-tails": 2, "ponytail": 3, "side-tail": 2, "twin-buns": 2,
        "top-bun": 2, "braids": 2, "drills": 2,
    },
    "fringe": {
        "full": 4, "blunt": 3, "swept": 4, "side-part": 3, "centre-part": 3, "between": 3,
        "choppy": 3, "curtain": 2, "veil": 1,
    },
    "locks": {"none": 2, "short": 3, "chin": 4, "long": 3, "flick": 2},
    "ahoge": {"none": 7, "curl": 2, "leaf": 2, "pair": 1},
    "eye": _even(EYES),
    "eye_shape": {"round": 4, "almond": 3, "drooping": 3, "sharp": 3, "tall": 3, "sleepy": 2},
    "eye_mood": {"open": 24, "half": 3, "wink": 2, "happy": 2, "calm": 1},
    "brow": {"soft": 4, "straight": 3, "raised": 3, "worried": 3, "stern": 3, "short": 2},
    "mouth": {
        "smile": 5, "small": 4, "open": 4, "laugh": 3, "oh": 2, "cat": 2, "flat": 2, "pout": 2,
        "fang": 2, "smirk": 2, "wavy": 1, "grin": 2,
    },
    "nose": {"dot": 3, "stroke": 3, "shade": 3, "button": 1},
    "blush": {"none": 5, "soft": 6, "lines": 2, "across": 1, "freckles": 1},
    "mark": {"none": 12, "mole": 2, "lip-mole": 1, "plaster": 1},
    "glasses": {
        "none": 30, "round": 3, "square": 2, "half": 1, "oval": 1, "tinted": 1, "patch": 1,
    },
    "hat": {
        "none": 16, "cap": 2, "beanie": 2, "witch": 2, "beret": 2, "headphones": 2, "ribbon": 3,
        "cat-ears": 3, "pins": 3, "horns": 2, "flowers": 3, "headband": 2, "crown": 1,
    },
    "outfit": {
        "tee": 3, "sailor": 4, "shirt": 3, "blazer": 3, "hoodie": 3, "turtleneck": 2,
        "kimono": 2, "bow": 3, "straps": 2, "cape": 1,
    },
    "cloth": _even(CLOTHES),
    "accent": _even(CLOTHES),
    "jewel": {"none": 5, "studs": 2, "drops": 1, "hoops": 1},
    "backdrop": _even(BACKDROPS),
    "pattern": {
        "solid": 3, "gradient": 4, "disc": 3, "stripes": 2, "dots": 2, "sparkles": 3, "rays": 1,
        "rings": 1, "petals": 2, "bubbles": 2,
    },
}  # fmt: skip

CLOSED_HATS = frozenset({"cap", "beanie", "witch", "beret"})
_TOP_HAIR = frozenset({"twin-buns", "top-bun", "spiky"})  # what a closed hat cannot cover


@dataclass(frozen=True)
class Traits:
    """Every choice of one avatar; the names are keys of ``CHOICES``."""

    skin: str
    face: str
    hair: str
    dye: str
    back: str
    fringe: str
    locks: str
    ahoge: str
    eye: str
    eye_shape: str
    eye_mood: str
    brow: str
    mouth: str
    nose: str
    blush: str
    mark: str
    glasses: str
    hat: str
    outfit: str
    cloth: str
    accent: str
    jewel: str
    backdrop: str
    pattern: str
    odd_eye: str | None
    dye_hair: str
    mirrored: bool
    tilt: float
    turn: float
    shift: float
    zoom: float
    gaze: tuple[float, float]
    volume: float
    hue: float
    saturation: float
    value: float
    eye_size: float
    eye_gap: float
    lines: int


def choose_traits(rng: random.Random) -> Traits:
    """Draw the traits of one avatar."""
    picked = {name: _pick(rng, weights) for name, weights in CHOICES.items()}
    if picked["hat"] in CLOSED_HATS:
        picked["ahoge"] = "none"
        while picked["back"] in _TOP_HAIR:
            picked["back"] = _pick(rng, CHOICES["back"])
    if picked["hat"] == "crown":
        picked["ahoge"] = "none"
        picked["back"] = picked["back"].replace("top-bun", "bob")
    if picked["eye_mood"] in ("happy", "calm", "wink") and picked["glasses"] in ("tinted", "patch"):
        picked["glasses"] = "none"
    while not _stands_out(picked["hair"], picked["backdrop"]):
        picked["backdrop"] = _pick(rng, CHOICES["backdrop"])
    while distance(rgb(CLOTHES[picked["cloth"]]), rgb(CLOTHES[picked["accent"]])) < 120:
        picked["accent"] = _pick(rng, CHOICES["accent"])
    return Traits(
        **picked,
        odd_eye=_pick(rng, CHOICES["eye"]) if rng.random() < 0.04 else None,
        dye_hair=_pick(rng, CHOICES["hair"]),
        mirrored=rng.random() < 0.5,
        tilt=rng.uniform(-7, 7),
        turn=rng.uniform(-1.6, 1.6),
        shift=rng.uniform(-2.5, 2.5),
        zoom=rng.uniform(1.05, 1.19),
        gaze=(rng.uniform(-0.9, 0.9), rng.uniform(-0.4, 0.5)),
        volume=rng.uniform(0.98, 1.07),
        hue=rng.uniform(-0.02, 0.02),
        saturation=rng.uniform(-0.14, 0.14),
        value=rng.uniform(-0.07, 0.05),
        eye_size=rng.uniform(1.0, 1.16),
        eye_gap=rng.uniform(-0.7, 0.7),
        lines=rng.getrandbits(32),
    )


def _stands_out(hair: str, backdrop: str) -> bool:
    colour = rgb(HAIRS[hair])
    return all(
        distance(colour, rgb(code)) > 90 and abs(brightness(colour) - brightness(rgb(code))) > 0.04
        for code in BACKDROPS[backdrop]
    )


def _pick(rng: random.Random, weights: Weights) -> str:
    at = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        at -= weight
        if at < 0:
            return name
    return name
