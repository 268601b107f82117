"""Contours in unit coordinates: x to the right, y down, a thing fills about [-1, 1] on both axes.

A drawing is a list of `Part`s, painted in order. A part's role says which paint it takes, so that one design serves
every colour and style: `fill` is the colour that captions name, `shade` a darker or lighter version of it, `accent` a
detail colour that stands out from the fill.
"""

from math import cos, pi, sin
from typing import NamedTuple

import numpy as np


class Part(NamedTuple):
    role: str
    contours: list  # several contours fill by the even-odd rule, which makes holes
    width: float = 0.0  # 0 fills the contours; otherwise they are stroked this wide
    closed: bool = True


def fill(*contours, role="fill"):
    return Part(role, [np.asarray(c, np.float32) for c in contours])


def stroke(points, width, role="fill", closed=False):
    return Part(role, [np.asarray(points, np.float32)], width, closed)


def ellipse(cx, cy, rx, ry=None, start=0.0, stop=2 * pi, n=28):
    """Points along an ellipse, clockwise on screen; a full turn does not repeat its first point."""
    ry = rx if ry is None else ry
    t = np.linspace(start, stop, n, endpoint=stop - start < 2 * pi - 1e-6)
    return np.stack([cx + rx * np.cos(t), cy + ry * np.sin(t)], 1)


def rect(x0, y0, x1, y1):
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], float)


def rounded(x0, y0, x1, y1, radius):
    corners = [
        (x1 - radius, y1 - radius),
        (x0 + radius, y1 - radius),
        (x0 + radius, y0 + radius),
        (x1 - radius, y0 + radius),
    ]
    arcs = [ellipse(x, y, radius, start=k * pi / 2, stop=(k + 1) * pi / 2, n=5) for k, (x, y) in enumerate(corners)]
    return np.concatenate(arcs)


def regular(n, radius=1.0, turn=-pi / 2):
    return np.array([(radius * cos(turn + 2 * pi * k / n), radius * sin(turn + 2 * pi * k / n)) for k in range(n)])


def spiked(points, inner, turn=-pi / 2):
    radii = [1.0 if k % 2 == 0 else inner for k in range(2 * points)]
    return np.array([(q * cos(turn + pi * k / points), q * sin(turn + pi * k / points)) for k, q in enumerate(radii)])


def smooth(points, closed=True, steps=5):
    """A Catmull-Rom curve through the points: the quick way to a leaf, a wing or a wave."""
    p = np.asarray(points, float)
    if closed:
        p0, p1, p2, p3 = np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0)
    else:
        q = np.concatenate([p[:1], p, p[-1:]])
        p0, p1, p2, p3 = q[:-3], q[1:-2], q[2:-1], q[3:]
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (a[:, None] for a in (p0, p1, p2, p3))
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, p[-1:]])


def mirror(points):
    """The same contour on the other side of the vertical axis."""
    return np.asarray(points, float) * (-1, 1)


def turned(points, angle, cx=0.0, cy=0.0):
    p = np.asarray(points, float) - (cx, cy)
    return p @ np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]]) + (cx, cy)
