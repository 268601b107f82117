"""How one picture's things are painted: the paint of every role, and outlines."""

from typing import NamedTuple

from palette import COLOURS, brightness, difference, lighter, scaled, shade_of

NEVER_HOLLOW = {"circle", "ring", "sun", "key", "arrow"}  # an outline alone would make another thing of them
WHITE = (255, 255, 255)


class Style(NamedTuple):
    paint: dict  # a colour for every role of a part
    ink: tuple | None  # the outline's colour
    width: float  # of the outline, as a share of half the thing's extent
    every_part: bool  # outlines around each part, not around the whole alone


def pick_kind(r, thing, fill, extent):
    """(outlined, hollow): an outline alone, for things large and colourful enough to be named by it, is hollow."""
    hollow = extent > 0.38 and max(fill) - min(fill) > 50 and thing not in NEVER_HOLLOW and r.random() < 0.1
    return hollow or r.random() < 0.35, hollow


def pick_style(r, fill, behind, outlined, hollow):
    """`behind` are the colours of the background."""
    paint = _paint(r, fill, behind)
    if hollow:
        papers = [c for c in (lighter(fill, 0.75), *(behind if len(behind) == 1 else ())) if difference(c, fill) > 30]
        paper = r.choice(papers or [scaled(fill, 0.3)])
        return Style({**dict.fromkeys(paint, fill), "fill": paper}, fill, r.uniform(0.09, 0.13), False)
    return Style(paint, _ink(r, fill) if outlined else None, r.uniform(0.03, 0.08), r.random() < 0.5)


def _paint(r, fill, behind):
    """The fill's own colour, details that go with it, and the usual colours of wood, leaves, wheels and the like."""
    dark = brightness(fill) < 75
    lit = dark or (r.random() < 0.25 and brightness(fill) < 190)
    shade = lighter(fill, r.uniform(0.25, 0.45)) if lit else scaled(fill, r.uniform(0.6, 0.8))
    return {
        "fill": fill,
        "shade": shade,
        "accent": _accent(r, fill, behind, dark),
        "light": lighter(fill, 0.55),
        "sail": WHITE if brightness(fill) < 205 else shade,
        "wood": shade_of(r, "brown"),
        "plant": shade_of(r, "green"),
        "glass": r.choice([(190, 225, 245), (235, 245, 250), (60, 70, 80)]),
        "wheel": r.choice([(20, 20, 20), (45, 45, 48), (0, 0, 0)]),
        "hub": r.choice([(200, 200, 200), (240, 240, 240), (120, 120, 120)]),
        "beak": r.choice([(250, 160, 20), (255, 200, 40), (60, 50, 40)]),
        "flame": r.choice([(255, 140, 0), (255, 200, 30), (240, 70, 30)]),
        "steam": (200, 200, 200),
        "blush": (240, 150, 160),
    }


def _accent(r, fill, behind, dark):
    """A detail colour, light on dark or dark on light, that stands out from the fill and, mostly, from `behind`."""
    usual = [WHITE, (245, 240, 220), (255, 225, 60)] if dark else [(0, 0, 0), (25, 25, 30), (70, 45, 25), WHITE]
    fitting = [c for c in (*usual, shade_of(r, r.choice(COLOURS))) if difference(c, fill) > 35]
    visible = [c for c in fitting if min(difference(c, b) for b in behind) > 15]
    return r.choice(visible or fitting or usual)


def _ink(r, fill):
    inks = [c for c in ((0, 0, 0), (30, 30, 30), WHITE, scaled(fill, 0.5), (60, 40, 30)) if difference(c, fill) > 25]
    return r.choice(inks[:2] * 3 + inks)
