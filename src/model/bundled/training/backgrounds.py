"""The nine backgrounds. Each paints an RGB canvas and names the colours that a thing on it must stand out from."""

from functools import cache
from math import cos, pi, sin

import cv2
import numpy as np
from palette import COLOURS, difference, lighter, scaled, shade_of

BACKGROUNDS = ["plain", "striped", "checkered", "dotted", "gradient", "sky", "night sky", "grass", "sea"]


def paint(r, name, side):
    """Returns (canvas, its main colours, the index of its colour where it is plain, else -1)."""
    if name == "plain":
        return _plain(r, side)
    canvas, colours = _PAINTERS[name](r, side)
    return canvas, colours, -1


def _flat(side, colour):
    return np.full((side, side, 3), colour, np.uint8)


def _plain(r, side):
    index = r.choice([COLOURS.index("white"), r.randrange(len(COLOURS)), r.randrange(len(COLOURS))])
    colour = shade_of(r, COLOURS[index])
    return _flat(side, colour), [colour], index


def _two_colours(r):
    """Two that differ enough to be seen as a pattern and little enough, often, to leave room for a third."""
    while True:
        a, b = (lighter(shade_of(r, r.choice(COLOURS)), r.choice([0, 0, 0.4, 0.7, 0.85])) for _ in range(2))
        if r.random() < 0.3:
            b = scaled(a, r.uniform(0.7, 0.92))
        if 7 < difference(a, b) < r.choice([25, 50, 200]):
            return a, b


@cache
def _pixels(side):
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    return x, y


def _coordinates(side, angle):
    """Every pixel's place along a direction and across it."""
    x, y = _pixels(side)
    return x * cos(angle) + y * sin(angle), -x * sin(angle) + y * cos(angle)


def _blend(mask, a, b):
    """`a` where mask is 0, `b` where it is 1, soft between."""
    return cv2.merge([cv2.convertScaleAbs(mask, alpha=float(y - x), beta=float(x)) for x, y in zip(a, b)])


def _edge(wave, side, period):
    """A soft step of about one pixel where a wave changes sign."""
    return np.clip(wave * side * period / 4 + 0.5, 0, 1)


def _striped(r, side):
    a, b = _two_colours(r)
    angle = r.choice([0, pi / 2, pi / 4, -pi / 4, r.uniform(0, pi)])
    u, _ = _coordinates(side, angle)
    period, share = r.uniform(0.08, 0.28), r.choice([0, 0, r.uniform(-0.5, 0.5)])
    wave = np.sin(2 * pi * u / period + r.uniform(0, 6)) + share
    return _blend(_edge(wave, side, period), a, b), [a, b]


def _checkered(r, side):
    a, b = _two_colours(r)
    u, v = _coordinates(side, r.choice([0, 0, 0, pi / 4, r.uniform(-0.2, 0.2)]))
    period, x, y = r.uniform(0.12, 0.36), r.uniform(0, 6), r.uniform(0, 6)
    wave = np.sin(2 * pi * u / period + x) * np.sin(2 * pi * v / period + y)
    return _blend(_edge(wave, side, period), a, b), [a, b]


def _dotted(r, side):
    a, b = _two_colours(r)
    u, v = _coordinates(side, r.choice([0, 0, pi / 4, r.uniform(0, pi)]))
    period = r.uniform(0.09, 0.24)
    u, v = u / period, v / period
    if r.random() < 0.4:
        u = u + 0.5 * (np.floor(v) % 2)
    radius = r.uniform(0.17, 0.36)
    distance = np.hypot(u % 1 - 0.5, v % 1 - 0.5)
    return _blend(np.clip((radius - distance) * side * period + 0.5, 0, 1), a, b), [a, b]


def _gradient(r, side):
    a, b = _two_colours(r)
    while difference(a, b) < 28:
        a, b = _two_colours(r)
    u, v = _coordinates(side, r.choice([0, pi / 2, r.uniform(0, 2 * pi)]))
    ramp = np.hypot(u - u.mean(), v - v.mean()) if r.random() < 0.2 else u
    ramp = (ramp - ramp.min()) / (ramp.max() - ramp.min())
    return _blend(ramp, a, b), [a, b, tuple((x + y) // 2 for x, y in zip(a, b))]


def _sky(r, side):
    top = (r.randint(60, 150), r.randint(150, 205), r.randint(225, 255))
    low = lighter(top, r.choice([0, r.uniform(0.2, 0.6)]))
    u, _ = _coordinates(side, pi / 2)
    canvas = _blend(np.clip(u, 0, 1), top, low)
    if r.random() < 0.7:
        for _ in range(r.randint(1, 4)):
            _puff(r, canvas, side)
        if r.random() < 0.4:
            canvas = cv2.GaussianBlur(canvas, (0, 0), side / 40)
    return canvas, [top, low]


def _puff(r, canvas, side):
    """A faint cloud: part of the sky, not a thing in it."""
    x, y, size = r.uniform(0, side), r.uniform(0, side), side * r.uniform(0.04, 0.09)
    colour = lighter(tuple(int(c) for c in canvas[int(y) % side, int(x) % side]), r.uniform(0.4, 1))
    for k in (-1.6, -0.7, 0.3, 1.3):
        centre = (int(x + k * size), int(y + r.uniform(-0.3, 0.3) * size))
        cv2.ellipse(canvas, centre, (int(size), int(size * 0.6)), 0, 0, 360, colour, -1, cv2.LINE_AA)


def _night_sky(r, side):
    top = r.choice(
        [
            (r.randint(0, 18), r.randint(0, 20), r.randint(15, 70)),
            (r.randint(5, 30), r.randint(8, 35), r.randint(50, 95)),
            (8, 8, 14),
        ]
    )
    low = scaled(top, r.choice([1, 1, r.uniform(1, 1.6)]))
    u, _ = _coordinates(side, pi / 2)
    canvas = _blend(np.clip(u, 0, 1), top, low)
    for _ in range(r.randint(12, 50)):
        glow = r.randint(150, 255)
        centre = (r.randrange(side), r.randrange(side))
        cv2.circle(
            canvas,
            centre,
            r.choice([1, 1, 1, 2, 2, 3]) * side // 192,
            (glow, glow, r.randint(150, 255)),
            -1,
            cv2.LINE_AA,
        )
    return canvas, [top, low]


def _grass(r, side):
    base = (r.randint(40, 140), r.randint(135, 205), r.randint(25, 80))
    horizon = r.choice([0, 0, 0, r.uniform(0.15, 0.6)])
    canvas, colours = _flat(side, base), [base]
    if horizon:
        sky = (r.randint(130, 200), r.randint(195, 230), r.randint(235, 255))
        canvas[: int(horizon * side)] = sky
        colours.append(sky)
    if horizon == 0 or r.random() < 0.6:
        dark, light = scaled(base, r.uniform(0.65, 0.85)), scaled(base, r.uniform(1.1, 1.3))
        for _ in range(r.randint(25, 90)):
            x, y, tall = r.randrange(side), r.uniform(horizon, 1.05) * side, side * r.uniform(0.03, 0.09)
            tip = (int(x + r.uniform(-0.5, 0.5) * tall), int(y - tall))
            cv2.line(
                canvas,
                (x, int(y)),
                tip,
                r.choice([dark, dark, light]),
                r.choice([1, 2]) * max(1, side // 192),
                cv2.LINE_AA,
            )
    return canvas, colours


def _sea(r, side):
    base = (r.randint(0, 60), r.randint(80, 160), r.randint(150, 215))
    horizon = r.choice([0, 0, r.uniform(0.15, 0.6)])
    canvas, colours = _flat(side, base), [base]
    if horizon:
        sky = (r.randint(150, 220), r.randint(205, 235), r.randint(240, 255))
        canvas[: int(horizon * side)] = sky
        colours.append(sky)
    crest = lighter(base, r.uniform(0.2, 0.8)) if r.random() < 0.75 else scaled(base, 0.75)
    length, height = side * r.uniform(0.08, 0.22), side * r.uniform(0.008, 0.025)
    whole, y = r.random() < 0.65, (horizon + 0.06) * side
    while y < side * 1.02:
        start = 0 if whole else r.uniform(0, 0.7) * side
        stop = side if whole else start + r.uniform(1, 2.5) * length
        x = np.arange(start, stop + 4, 4)
        wave = np.stack([x, y + height * np.sin(2 * pi * x / length + r.uniform(0, 6))], 1)
        cv2.polylines(
            canvas, [np.int32(wave * 16)], False, crest, max(1, round(side / r.uniform(70, 130))), cv2.LINE_AA, 4
        )
        y += side * r.uniform(0.06, 0.13) * (1 if whole else 0.5)
    return canvas, colours


_PAINTERS = {
    "striped": _striped,
    "checkered": _checkered,
    "dotted": _dotted,
    "gradient": _gradient,
    "sky": _sky,
    "night sky": _night_sky,
    "grass": _grass,
    "sea": _sea,
}
