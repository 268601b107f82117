"""The plainer half of the things: geometric figures and things of the sky. Each design takes a `random.Random`."""

from math import cos, pi, sin

import numpy as np
from geometry import ellipse, fill, mirror, rect, regular, rounded, smooth, spiked, stroke, turned


def circle(r):
    parts = [fill(ellipse(0, 0, 1, r.uniform(0.93, 1), n=40))]
    if r.random() < 0.15:
        parts.append(fill(ellipse(-0.35, -0.35, 0.2, 0.15), role="shade"))
    return parts


def square(r):
    side = r.uniform(0.85, 0.95)
    if r.random() < 0.25:
        return [fill(rounded(-side, -side, side, side, r.uniform(0.08, 0.25)))]
    parts = [fill(rect(-side, -side, side, side))]
    if r.random() < 0.12:
        inner = side * r.uniform(0.6, 0.8)
        parts.append(fill(rect(-inner, -inner, inner, inner), role="shade"))
    return parts


def triangle(r):
    height = r.uniform(0.8, 1.0)
    apex = r.choice([0, 0, 0, r.uniform(-0.8, 0.8)])
    points = [(apex, -height), (0.95, height * 0.8), (-0.95, height * 0.8)]
    return [fill(points if r.random() < 0.8 else regular(3))]


def star(r):
    points = r.choice([5, 5, 5, 5, 6, 4])
    inner = {4: r.uniform(0.25, 0.45), 5: r.uniform(0.34, 0.55), 6: r.uniform(0.4, 0.62)}[points]
    parts = [fill(spiked(points, inner))]
    if r.random() < 0.1:
        parts.append(fill(spiked(points, inner) * 0.5, role="shade"))
    return parts


def heart(r):
    t = np.linspace(0, 2 * pi, 36, endpoint=False)
    if r.random() < 0.6:
        x = np.sin(t) ** 3
        y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 15.5
        return [fill(np.stack([x * r.uniform(0.9, 1.05), y + 0.05], 1))]
    lobe, drop = r.uniform(0.48, 0.56), r.uniform(0.85, 1.05)
    left = ellipse(-0.47, -0.35, lobe, start=pi * 0.78, stop=pi * 1.9, n=14)
    right = ellipse(0.47, -0.35, lobe, start=pi * 1.1, stop=pi * 2.22, n=14)
    return [fill(np.concatenate([left, right, [(0, drop)]]))]


def ring(r):
    inner = r.uniform(0.45, 0.8)
    flat = r.choice([1, 1, 1, r.uniform(0.6, 0.9)])
    parts = [fill(ellipse(0, 0, 1, flat, n=36), ellipse(0, 0, inner, flat * inner, n=30))]
    if r.random() < 0.2:  # a finger ring with a stone
        gem = np.array([(-0.3, -1.1), (0.3, -1.1), (0.42, -0.9), (0, -0.5), (-0.42, -0.9)]) + (0, 0.05)
        inner = max(inner, 0.7)
        parts = [
            fill(ellipse(0, 0.15, 0.85, n=36), ellipse(0, 0.15, 0.85 * inner, n=30)),
            fill(gem, role=r.choice(["accent", "shade"])),
        ]
    return parts


def cross(r):
    arm = r.uniform(0.18, 0.36)
    if r.random() < 0.25:  # the long one of churches
        bar = r.uniform(-0.45, -0.25)
        return [
            fill(
                [
                    (-arm * 0.8, -1),
                    (arm * 0.8, -1),
                    (arm * 0.8, bar - arm * 0.8),
                    (0.7, bar - arm * 0.8),
                    (0.7, bar + arm * 0.8),
                    (arm * 0.8, bar + arm * 0.8),
                    (arm * 0.8, 1),
                    (-arm * 0.8, 1),
                    (-arm * 0.8, bar + arm * 0.8),
                    (-0.7, bar + arm * 0.8),
                    (-0.7, bar - arm * 0.8),
                    (-arm * 0.8, bar - arm * 0.8),
                ]
            )
        ]
    a = arm
    plus = np.array(
        [(-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a), (a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a), (-a, -a)]
    )
    return [fill(turned(plus, pi / 4) if r.random() < 0.3 else plus)]


def moon(r):
    """A crescent, waxing or waning; the bite's depth varies from thin sickle to nearly half."""
    depth = r.uniform(0.1, 0.6)
    outer = ellipse(0, 0, 1, start=pi * 0.5, stop=pi * 1.5, n=22)
    bite = ellipse(0, 0, depth, 1, start=pi * 0.5, stop=pi * 1.5, n=18)[::-1]
    if r.random() < 0.5:  # horns that bend round further
        gap = r.uniform(0.25, 0.5)
        outer = ellipse(0, 0, 1, start=pi * gap, stop=pi * (2 - gap), n=26)
        tip = outer[0]
        shift = r.uniform(0.3, 0.55)
        radius = np.hypot(tip[0] - shift, tip[1])
        half = np.arctan2(tip[1], tip[0] - shift)
        bite = ellipse(shift, 0, radius, start=half, stop=2 * pi - half, n=20)[::-1]
    return [fill((np.concatenate([outer, bite]) + (0.3, 0)) * r.choice([(1, 1), (-1, 1)]))]


def arrow(r):
    shaft, head, back = r.uniform(0.12, 0.32), r.uniform(0.5, 0.85), r.uniform(-0.1, 0.4)
    points = np.array([(-1, -shaft), (back, -shaft), (back, -head), (1, 0), (back, head), (back, shaft), (-1, shaft)])
    if r.random() < 0.2:
        w = r.uniform(0.14, 0.26)
        return [stroke([(-1, 0), (0.85, 0)], w), stroke([(0.25, -0.6), (0.9, 0), (0.25, 0.6)], w)]
    if r.random() < 0.15:
        points[0, 0] = points[-1, 0] = -0.8
        points = np.concatenate([points, [(-0.8 + shaft, 0)]])
    return [fill(points)]


def diamond(r):
    kind = r.random()
    if kind < 0.55:
        wide = r.uniform(0.6, 1.0)
        parts = [fill([(0, -1), (wide, 0), (0, 1), (-wide, 0)])]
        if r.random() < 0.25:
            parts.append(stroke([(-wide, 0), (0, 0.25), (wide, 0)], 0.05, "shade"))
        return parts
    top, table, belt = r.uniform(-0.8, -0.65), r.uniform(0.45, 0.65), r.uniform(-0.35, -0.2)
    parts = [fill([(-table, top), (table, top), (1, belt), (0, 0.9), (-1, belt)])]
    if r.random() < 0.8:
        role = r.choice(["shade", "shade", "accent"])
        parts.append(stroke([(-1, belt), (1, belt)], 0.06, role))
        parts.append(stroke([(-table, top), (-0.35, belt), (0, 0.9), (0.35, belt), (table, top)], 0.06, role))
        parts.append(stroke([(-0.35, belt), (0, top), (0.35, belt)], 0.06, role))
    return parts


def cloud(r):
    base = r.uniform(0.35, 0.5)
    lumps = [
        (-0.6, 0.1, r.uniform(0.32, 0.42)),
        (-0.2, -0.2, r.uniform(0.4, 0.55)),
        (0.3, -0.1, r.uniform(0.36, 0.5)),
        (0.65, 0.15, r.uniform(0.28, 0.38)),
    ]
    if r.random() < 0.3:
        lumps = lumps[:1] + [(0.05, -0.2, r.uniform(0.5, 0.6))] + lumps[3:]
    if r.random() < 0.5:
        return [_merged(lumps, base)]
    parts = [fill(ellipse(x, y, q)) for x, y, q in lumps]
    return [*parts, fill(rounded(-0.95, 0.0, 0.95, base, min(base / 2, 0.2)))]


def _merged(lumps, base):
    """One outline over all lumps: the upper envelope of their circles, with a flat foot."""
    xs = np.linspace(lumps[0][0] - lumps[0][2], lumps[-1][0] + lumps[-1][2], 60)
    tops = [np.where(np.abs(xs - x) < q, y - np.sqrt(np.maximum(q * q - (xs - x) ** 2, 0)), base) for x, y, q in lumps]
    top = np.minimum(np.min(tops, 0), base)
    return fill(np.concatenate([np.stack([xs, top], 1), [(xs[-1], base), (xs[0], base)]]))


def sun(r):
    core, rays = r.uniform(0.45, 0.66), r.randint(8, 14)
    kind = r.random()
    width, gap = r.uniform(0.06, 0.12), r.uniform(0.0, 0.18)
    parts = []
    for k in range(rays):
        a = 2 * pi * k / rays
        u, v = np.array([cos(a), sin(a)]), np.array([-sin(a), cos(a)])
        if kind < 0.4:
            parts.append(stroke([u * (core + gap), u], width))
        elif kind < 0.75:
            w = r.uniform(0.1, 0.16)
            parts.append(fill([u * (core + 0.08) - v * w, u * (core + 0.08) + v * w, u]))
    if kind >= 0.75:
        parts.append(fill(spiked(rays, r.uniform(0.68, 0.76))))
        parts.append(stroke(ellipse(0, 0, core), 0.06, "shade", closed=True))
    parts.append(fill(ellipse(0, 0, core)))
    if r.random() < 0.15:
        parts += [fill(ellipse(x, -0.1, 0.07), role="accent") for x in (-0.18, 0.18)]
        parts.append(stroke(ellipse(0, 0, 0.27, start=0.15 * pi, stop=0.85 * pi, n=9), 0.06, "accent"))
    return parts


def mountain(r):
    """Two or three overlapping peaks on a broad foot, mostly with snow; one alone always has its snow cap."""
    foot = 0.7
    count = r.choice([1, 2, 2, 3])
    tops = {1: [(0, -0.8)], 2: [(-0.3, -0.8), (0.45, -0.3)], 3: [(-0.55, -0.3), (0.05, -0.85), (0.6, -0.2)]}[count]
    side = r.choice([1, -1])
    snowy = count == 1 or r.random() < 0.65
    parts, role = [], r.choice(["accent", "shade"]) if count > 1 else "accent"
    for k, (x, y) in enumerate(sorted(tops, key=lambda t: -t[1])):
        x, y = x * side, y + r.uniform(-0.08, 0.08)
        spread = (foot - y) * r.uniform(0.62, 0.72) * (1.1 if count == 1 else 1)
        parts.append(
            fill(
                [(x, y), (min(x + spread, 1.1), foot), (max(x - spread, -1.1), foot)],
                role="shade" if k == 0 and count > 1 and r.random() < 0.4 else "fill",
            )
        )
        if snowy:
            d, s = r.uniform(0.32, 0.42), spread / (foot - y)
            parts.append(
                fill(
                    [
                        (x, y),
                        (x + d * s, y + d),
                        (x + d * s * 0.4, y + d * 0.72),
                        (x, y + d * 1.05),
                        (x - d * s * 0.4, y + d * 0.7),
                        (x - d * s, y + d),
                    ],
                    role=role,
                )
            )
    return parts


def face(r):
    wide = r.uniform(0.82, 1)
    head = ellipse(0, 0, wide, 1, n=36) if r.random() < 0.9 else rounded(-0.85, -0.95, 0.85, 0.95, 0.4)
    eye, gap, height = r.uniform(0.1, 0.17), r.uniform(0.3, 0.42), r.uniform(-0.35, -0.15)
    parts = [fill(head)]
    for side in (-1, 1):
        if r.random() < 0.15:
            parts.append(stroke([(side * gap - 0.12, height), (side * gap + 0.12, height)], 0.1, "accent"))
        else:
            parts.append(fill(ellipse(side * gap, height, eye, eye * r.uniform(1, 1.4), n=14), role="accent"))
    mood = r.random()
    if mood < 0.6:
        parts.append(
            stroke(
                ellipse(0, 0.1, r.uniform(0.42, 0.55), start=0.12 * pi, stop=0.88 * pi, n=11),
                r.uniform(0.08, 0.13),
                "accent",
            )
        )
    elif mood < 0.75:
        parts.append(stroke(ellipse(0, 0.85, 0.4, start=1.15 * pi, stop=1.85 * pi, n=11), 0.1, "accent"))
    elif mood < 0.9:
        parts.append(fill(ellipse(0, 0.15, 0.5, 0.55, start=0, stop=pi, n=14), role="accent"))
    else:
        parts.append(stroke([(-0.35, 0.45), (0.35, 0.45)], 0.1, "accent"))
    if r.random() < 0.25:
        parts.append(stroke([(0, -0.05), (0.08, 0.18), (-0.03, 0.2)], 0.06, "accent"))
    return parts


def leaf(r):
    wide = r.uniform(0.4, 0.62)
    side = [(0, -1), (wide * 0.7, -0.45), (wide, 0.05), (wide * 0.6, 0.5), (0, 0.75)]
    if r.random() < 0.25:
        side = [
            (0, -1),
            (0.35, -0.5),
            (0.7, -0.55),
            (0.5, -0.1),
            (0.8, 0.15),
            (0.3, 0.4),
            (0, 0.65),
        ]  # lobed, as maple or oak
        outline = np.concatenate([side, mirror(side)[::-1][1:-1]])
    else:
        outline = smooth(np.concatenate([side, mirror(side)[::-1][1:-1]]))
    role = r.choice(["shade", "shade", "accent"])
    parts = [stroke([(0, 0.5), (r.uniform(-0.12, 0.12), 1.05)], 0.09, r.choice(["fill", "shade"])), fill(outline)]
    if r.random() < 0.85:
        parts.append(stroke([(0, -0.8), (0, 0.75)], 0.06, role))
        if r.random() < 0.65:
            for y in (-0.35, 0.0, 0.35):
                parts += [stroke([(0, y + 0.1), (s * wide * 0.6, y - 0.15)], 0.045, role) for s in (-1, 1)]
    return parts
