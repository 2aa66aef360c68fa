"""The traits of one avatar with their colours worked out."""

from dataclasses import dataclass

from animegan_cli.avatars.palettes import (
    BACKDROPS,
    CLOTHES,
    EYES,
    HAIRS,
    INK,
    SKINS,
    Colour,
    Tones,
    jitter,
    mix,
    rgb,
    tones,
)
from animegan_cli.avatars.traits import Traits


@dataclass(frozen=True)
class Skin:
    """The colours of the skin."""

    base: Colour
    light: Colour
    shadow: Colour
    line: Colour
    blush: Colour
    lip: Colour


@dataclass(frozen=True)
class Look:
    """The traits and colours that every part is drawn with."""

    traits: Traits
    skin: Skin
    hair: Tones
    dye: Tones
    irises: tuple[Colour, Colour]
    lash: Colour
    cloth: Tones
    accent: Tones
    backdrop: tuple[Colour, Colour]


def look_of(traits: Traits) -> Look:
    """Work out the colours of the traits."""
    hue, saturation, value = traits.hue, traits.saturation, traits.value
    base, shadow, blush = (
        jitter(rgb(code), hue / 4, saturation / 3, 0) for code in SKINS[traits.skin]
    )
    hair = tones(jitter(rgb(HAIRS[traits.hair]), hue, saturation, value))
    dye = hair if traits.dye == "plain" else tones(jitter(rgb(HAIRS[traits.dye_hair]), hue, 0, 0))
    iris = jitter(rgb(EYES[traits.eye]), -hue, saturation, 0)
    odd = iris if traits.odd_eye is None else rgb(EYES[traits.odd_eye])
    upper, lower = (jitter(rgb(code), hue, -saturation, 0) for code in BACKDROPS[traits.backdrop])
    return Look(
        traits=traits,
        skin=Skin(
            base=base,
            light=mix(base, (255, 252, 244), 0.45),
            shadow=shadow,
            line=mix(mix(shadow, (120, 40, 40), 0.35), INK, 0.3),
            blush=blush,
            lip=mix(blush, (190, 50, 70), 0.35),
        ),
        hair=hair,
        dye=dye,
        irises=(iris, odd),
        lash=mix(hair.line, INK, 0.55),
        cloth=tones(jitter(rgb(CLOTHES[traits.cloth]), -hue, saturation, value)),
        accent=tones(jitter(rgb(CLOTHES[traits.accent]), hue, -saturation, 0)),
        backdrop=(upper, lower),
    )
