"""The other half of the things: those that are built, grown or alive. Each design takes a `random.Random`."""

from math import cos, pi, sin

import numpy as np
from geometry import ellipse, fill, mirror, rect, rounded, smooth, stroke, turned


def house(r):
    wall, top, eaves = r.uniform(0.6, 0.85), r.uniform(-0.25, 0.05), r.uniform(0.02, 0.2)
    roof = r.choice(["fill", "shade", "accent"])
    parts = []
    if r.random() < 0.4:
        x = r.choice([-1, 1]) * r.uniform(0.3, 0.5)
        parts.append(fill(rect(x - 0.1, -0.95, x + 0.1, -0.2), role=r.choice(["fill", "shade", roof])))
    parts.append(fill(rect(-wall, top, wall, 0.9)))
    if r.random() < 0.8:
        parts.append(fill([(-wall - eaves, top), (0, -1), (wall + eaves, top)], role=roof))
    else:
        parts.append(
            fill([(-wall - eaves, top), (-wall * 0.6, -0.8), (wall * 0.6, -0.8), (wall + eaves, top)], role=roof)
        )
    detail = r.choice(["accent", "accent", "shade"])
    if r.random() < 0.9:
        x, w, h = r.choice([0, 0, -0.35, 0.35]), r.uniform(0.12, 0.2), r.uniform(0.4, 0.58)
        parts.append(fill(rect(x - w, 0.9 - h, x + w, 0.9), role=detail))
    if r.random() < 0.6:
        q, y = r.uniform(0.1, 0.16), top + r.uniform(0.25, 0.32)
        xs = r.choice([(-wall * 0.6, wall * 0.6), (wall * 0.55,), (0,)])
        parts += [fill(rect(x - q, y - q, x + q, y + q), role=r.choice([detail, "accent"])) for x in xs]
    return parts


def tree(r):
    trunk = r.choice(["accent", "shade", "fill", "wood", "wood"])
    w = r.uniform(0.08, 0.18)
    parts = [fill(rect(-w, 0.2, w, 1), role=trunk)]
    kind = r.random()
    if kind < 0.35:
        parts.append(fill(ellipse(0, -0.25, r.uniform(0.6, 0.8), r.uniform(0.65, 0.78))))
    elif kind < 0.6:
        lobes = [(-0.4, 0.05, 0.42), (0.4, 0.05, 0.42), (0, -0.45, 0.5), (0, 0, 0.45)]
        parts += [fill(ellipse(x, y, q * r.uniform(0.9, 1.1))) for x, y, q in lobes]
    else:
        tiers = r.choice([1, 2, 3, 3])
        for k in range(tiers)[::-1]:
            y, half = -1 + 0.42 * k, 0.4 + 0.14 * k if tiers > 1 else 0.65
            foot = 0.5 if tiers == 1 else y + 0.75
            parts.append(fill([(0, y), (half, foot), (-half, foot)]))
    if kind < 0.6 and r.random() < 0.2:
        parts += [fill(ellipse(x, y, 0.08, n=10), role="accent") for x, y in ((-0.3, -0.1), (0.25, -0.35), (0.2, 0.1))]
    return parts


def flower(r):
    petals, turn = r.randint(5, 8), r.uniform(0, pi)
    stem = r.random() < 0.55
    size, cy = (r.uniform(0.55, 0.65), -0.4) if stem else (0.95, 0.0)
    parts = []
    if stem:
        green = r.choice(["shade", "plant", "plant", "plant"])
        parts.append(stroke([(0, cy), (0, 1)], r.uniform(0.07, 0.12), green))
        if r.random() < 0.7:
            leaf = smooth([(0, 0.75), (0.25, 0.4), (0.55, 0.35), (0.35, 0.65)])
            parts += [fill(q, role=green) for q in (leaf, mirror(leaf))[: r.randint(1, 2)]]
    if stem and r.random() < 0.2:  # a tulip
        parts.append(
            fill(
                [
                    (-0.45, -0.9),
                    (-0.2, -0.65),
                    (0, -1),
                    (0.2, -0.65),
                    (0.45, -0.9),
                    (0.4, -0.35),
                    (0.15, -0.1),
                    (-0.15, -0.1),
                    (-0.4, -0.35),
                ]
            )
        )
        return parts
    long = size * r.uniform(0.32, 0.42)
    wide = min(size * 2.6 / petals, size * 0.42) * r.uniform(0.7, 1.05)
    for k in range(petals):
        a = turn + 2 * pi * k / petals
        petal = turned(ellipse(0, 0, long, wide, n=16), a) + (cos(a) * (size - long), sin(a) * (size - long) + cy)
        parts.append(fill(petal))
    parts.append(fill(ellipse(0, cy, size * r.uniform(0.24, 0.34), n=18), role=r.choice(["accent", "accent", "shade"])))
    return parts


def fish(r):
    thick, tail = r.uniform(0.38, 0.6), r.uniform(0.35, 0.55)
    parts = [
        fill([(0.4, 0), (1, -tail), (r.uniform(0.75, 0.95), 0), (1, tail)], role=r.choice(["fill", "fill", "shade"]))
    ]
    if r.random() < 0.5:
        fin = r.choice(["fill", "shade"])
        parts.append(fill([(-0.3, -thick * 0.75), (0.15, -thick - 0.28), (0.25, -thick * 0.6)], role=fin))
        if r.random() < 0.5:
            parts.append(fill([(-0.15, thick * 0.7), (0.15, thick + 0.22), (0.2, thick * 0.6)], role=fin))
    if r.random() < 0.6:
        parts.append(fill(ellipse(-0.2, 0, 0.78, thick, n=30)))
    else:
        parts.append(
            fill(
                smooth(
                    [
                        (-1, 0),
                        (-0.5, -thick),
                        (0.15, -thick * 0.7),
                        (0.6, -0.08),
                        (0.6, 0.08),
                        (0.15, thick * 0.7),
                        (-0.5, thick),
                    ]
                )
            )
        )
    if r.random() < 0.9:
        parts.append(fill(ellipse(-0.6, -0.1, r.uniform(0.07, 0.12), n=12), role="accent"))
    if r.random() < 0.25:
        parts += [
            stroke([(x, -thick * 0.7), (x - 0.08, 0), (x, thick * 0.7)], 0.08, "shade") for x in (-0.3, 0.0, 0.25)
        ]
    if r.random() < 0.2:
        parts.append(fill([(-0.2, -0.02), (0.15, 0.12), (-0.12, 0.22)], role="shade"))
    return parts


def boat(r):
    deck, foot = r.uniform(0.3, 0.45), r.uniform(0.5, 0.7)
    parts = []
    if r.random() < 0.75:  # sails
        mast = r.uniform(-0.15, 0.15)
        parts.append(stroke([(mast, deck + 0.1), (mast, -1)], 0.08, r.choice(["fill", "shade", "accent"])))
        role = r.choice(["fill", "fill", "shade", "sail", "sail"])
        parts.append(
            fill([(mast + 0.06, -0.95), (mast + 0.06, deck - 0.12), (r.uniform(0.6, 0.85), deck - 0.12)], role=role)
        )
        if r.random() < 0.6:
            parts.append(
                fill(
                    [(mast - 0.06, -0.8), (mast - 0.06, deck - 0.12), (-r.uniform(0.45, 0.75), deck - 0.12)], role=role
                )
            )
    else:  # a steamer
        parts.append(fill(rect(-0.45, deck - 0.42, 0.5, deck + 0.02), role=r.choice(["fill", "shade", "sail"])))
        parts += [
            fill(rect(x, deck - 0.95, x + 0.2, deck - 0.42), role=r.choice(["fill", "shade"]))
            for x in r.choice([(-0.2,), (-0.3, 0.12)])
        ]
    hull = [(-1, deck), (1, deck), (foot, 0.85), (-foot, 0.85)]
    if r.random() < 0.35:
        hull = np.concatenate(
            [[(-0.95, deck), (0.95, deck)], ellipse(0, deck, 0.95, 0.5, start=0.08 * pi, stop=0.92 * pi, n=14)]
        )
    parts.append(fill(hull))
    if r.random() < 0.2:
        parts.append(stroke([(-0.8, deck + 0.16), (0.8, deck + 0.16)], 0.07, "accent"))
    return parts


def car(r):
    base, waist = 0.5, r.uniform(-0.12, 0.02)
    front, back, roof = r.uniform(0.3, 0.5), r.uniform(-0.75, -0.55), r.uniform(-0.62, -0.5)
    parts = [fill(rounded(-1, waist, 1, base, 0.12))]
    cabin = np.array(
        [(back - 0.15, waist + 0.08), (back + 0.1, roof), (front - 0.15, roof), (front + 0.2, waist + 0.08)]
    )
    if r.random() < 0.2:
        cabin = np.concatenate([ellipse(-0.1, waist + 0.08, 0.68, 0.65, start=pi, stop=2 * pi, n=14)])
    parts.append(fill(cabin))
    if r.random() < 0.85:
        centre = cabin.mean(0)
        pane = (cabin - centre) * (0.75, 0.62) + centre
        parts.append(fill(pane, role=r.choice(["accent", "shade", "glass"])))
        if r.random() < 0.7:
            parts.append(stroke([(-0.12, roof), (-0.12, waist + 0.05)], 0.09))
    q = r.uniform(0.22, 0.29)
    for x in (-r.uniform(0.5, 0.6), r.uniform(0.5, 0.6)):
        parts.append(fill(ellipse(x, base, q, n=20), role="wheel"))
        if r.random() < 0.7:
            parts.append(fill(ellipse(x, base, q * 0.45, n=12), role="hub"))
    if r.random() < 0.25:
        parts.append(fill(ellipse(0.92, waist + 0.2, 0.08, n=10), role="accent"))
    return parts


def bird(r):
    kind = r.random()
    if kind < 0.12:  # far away: two curved wings
        wing = [(-1, -0.25), (-0.6, -0.5), (-0.2, -0.25), (0, 0.1)]
        line = np.concatenate([smooth(wing, closed=False), mirror(smooth(wing, closed=False))[::-1]])
        return [stroke(line, r.uniform(0.16, 0.24))]
    beak, wing = r.choice(["accent", "beak", "beak"]), r.choice(["shade", "shade", "accent"])
    if kind < 0.6:  # sitting
        parts = [
            fill([(0.35, 0.0), (1, r.uniform(-0.2, 0.3)), (0.9, 0.45), (0.3, 0.4)], role=r.choice(["fill", "shade"]))
        ]
        parts += [stroke([(x, 0.5), (x, 0.95)], 0.07, beak) for x in (-0.1, 0.12)] if r.random() < 0.7 else []
        parts.append(fill([(-0.75, -0.55), (-1.1, -0.38), (-0.75, -0.25)], role=beak))
        parts.append(fill(ellipse(0, 0.15, 0.62, 0.45, n=26)))
        parts.append(fill(ellipse(-0.5, -0.38, r.uniform(0.3, 0.37), n=22)))
        if r.random() < 0.7:
            parts.append(fill(turned(ellipse(0.15, 0.12, 0.4, 0.2, n=18), r.uniform(0, 0.4)), role=wing))
        else:  # a wing held up
            parts.append(
                fill(
                    [(-0.2, 0.1), (0.4, 0.1), (r.uniform(0.2, 0.5), -r.uniform(0.35, 0.6))],
                    role=r.choice([wing, "fill"]),
                )
            )
        eye = (-0.58, -0.45)
    else:  # flying
        parts = [fill([(-0.75, -0.12), (-1.1, 0.0), (-0.75, 0.12)], role=beak)]
        parts.append(fill([(0.4, 0), (1, -0.22), (0.92, 0.2), (0.4, 0.15)]))
        parts.append(
            fill([(-0.3, 0), (0.15, -r.uniform(0.75, 1)), (0.55, -0.75), (0.3, 0.05)], role=r.choice(["fill", "shade"]))
        )
        parts.append(fill(ellipse(-0.05, 0.05, 0.6, 0.26, n=24)))
        parts.append(fill(ellipse(-0.6, -0.05, 0.24, n=18)))
        if r.random() < 0.5:
            parts.append(fill([(-0.15, 0.05), (0.2, 0.7), (0.5, 0.55), (0.3, 0.05)], role="shade"))
        eye = (-0.66, -0.1)
    parts.append(fill(ellipse(*eye, 0.07, n=10), role="accent"))
    return parts


def butterfly(r):
    low, spread, reach = r.uniform(0.3, 0.42), r.uniform(0.45, 0.52), r.uniform(0.85, 1)
    parts = []
    lower, rounded_wings = r.choice(["fill", "fill", "shade"]), r.random() < 0.35
    for s in (-1, 1):
        x = s * spread * 0.85
        parts.append(fill(turned(ellipse(x, 0.45, low, 0.42, n=20), -s * 0.3, x, 0.45), role=lower))
        pointed = smooth([(0, -0.1), (s * 0.45, -0.85), (s * reach, -0.9), (s * reach, -0.3), (s * 0.5, 0.08)])
        parts.append(fill(ellipse(s * spread, -0.42, 0.47, 0.5) if rounded_wings else pointed))
    if r.random() < 0.55:
        role = r.choice(["accent", "shade"])
        parts += [fill(ellipse(s * 0.6, -0.48, 0.16, n=14), role=role) for s in (-1, 1)]
        parts += [fill(ellipse(s * 0.45, 0.45, 0.12, n=12), role=role) for s in (-1, 1)]
    body = r.choice(["accent", "accent", "shade"])
    parts.append(fill(ellipse(0, 0.05, r.uniform(0.07, 0.12), 0.7, n=18), role=body))
    if r.random() < 0.8:
        parts += [stroke([(0, -0.5), (s * 0.25, -0.98)], 0.05, body) for s in (-1, 1)]
    return parts


def rocket(r):
    wide = r.uniform(0.26, 0.4)
    parts = []
    if r.random() < 0.6:
        parts.append(fill([(-wide * 0.6, 0.6), (wide * 0.6, 0.6), (0, r.uniform(0.95, 1.15))], role="flame"))
    fins = r.choice(["fill", "shade", "accent"])
    parts += [
        fill([(s * wide * 0.8, 0.1), (s * (wide + 0.35), 0.75), (s * wide * 0.6, 0.6)], role=fins) for s in (-1, 1)
    ]
    if r.random() < 0.55:
        half = np.array([(0, -1), (wide * 0.75, -0.55), (wide, -0.05), (wide * 0.7, 0.65)])
        parts.append(fill(np.concatenate([smooth(half, closed=False), mirror(smooth(half, closed=False))[::-1]])))
    else:
        parts.append(fill(rect(-wide, -0.4, wide, 0.62)))
        parts.append(fill([(-wide, -0.4), (0, -1), (wide, -0.4)], role=r.choice(["fill", "shade", "accent"])))
    if r.random() < 0.85:
        parts.append(fill(ellipse(0, -0.2, wide * r.uniform(0.4, 0.55), n=16), role=r.choice(["accent", "glass"])))
    return parts


def balloon(r):
    wide, tall = r.uniform(0.55, 0.7), r.uniform(0.68, 0.78)
    sway = r.uniform(-0.15, 0.15)
    string = smooth([(0, 0.5), (sway, 0.7), (-sway, 0.85), (sway, 1.1)], closed=False)
    parts = [stroke(string, r.uniform(0.02, 0.06), r.choice(["accent", "shade", "fill"]))]
    knot = r.uniform(0.06, 0.13)
    parts.append(fill([(0, 0.3), (knot, 0.55), (-knot, 0.55)]))
    if r.random() < 0.6:
        parts.append(fill(ellipse(0, -0.3, wide, tall, n=32)))
    else:
        parts.append(
            fill(smooth([(0, 0.45), (-wide * 0.75, 0), (-wide, -0.45), (0, -1), (wide, -0.45), (wide * 0.75, 0)]))
        )
    if r.random() < 0.4:
        parts.append(fill(turned(ellipse(-0.25, -0.6, 0.1, 0.18, n=14), 0.4, -0.25, -0.6), role="light"))
    return parts


def umbrella(r):
    flat, scallops = r.uniform(0.75, 1), r.choice([0, 0, 3, 4])
    pole = r.choice(["accent", "shade", "fill", "wood"])
    hook = np.concatenate([[(0, -0.3), (0, 0.75)], ellipse(-0.18, 0.75, 0.18, 0.2, start=0, stop=pi, n=9)])
    parts = [stroke(hook if r.random() < 0.85 else [(0, -0.3), (0, 0.95)], r.uniform(0.05, 0.12), pole)]
    canopy = [ellipse(0, 0, 1, flat, start=pi, stop=2 * pi, n=26)]
    if scallops:
        half = 1 / scallops
        canopy += [
            ellipse(1 - half * (2 * k + 1), 0, half, 0.16, start=0, stop=pi, n=8) * (1, -1) for k in range(scallops)
        ]
    parts.append(fill(np.concatenate(canopy)))
    if r.random() < 0.45:
        ribs = r.choice(["shade", "accent"])
        parts += [stroke([(0, -flat), (x, -0.05)], 0.05, ribs) for x in (-0.4, 0.4)]
    if r.random() < 0.5:
        parts.append(stroke([(0, -flat), (0, -flat - 0.14)], 0.08, pole))
    return parts


def mug(r):
    left, right, top = -0.8, r.uniform(0.3, 0.45), r.uniform(-0.85, -0.65)
    taper = r.choice([0, 0, r.uniform(0.05, 0.18)])
    bend = r.uniform(0.4, 0.5)
    middle = (top + 0.85) / 2 - r.uniform(0, 0.1)
    handle = ellipse(right - taper / 2, middle, bend, r.uniform(0.36, 0.48), start=-pi / 2, stop=pi / 2, n=16)
    parts = [stroke(handle, r.uniform(0.14, 0.22))]
    parts.append(fill([(left, top), (right, top), (right - taper, 0.85), (left + taper, 0.85)]))
    if r.random() < 0.45:
        middle_x, half = (left + right) / 2, (right - left) / 2
        parts.append(fill(ellipse(middle_x, top, half, 0.15)))
        parts.append(fill(ellipse(middle_x, top, half * 0.85, 0.1), role=r.choice(["shade", "wood", "accent"])))
    if r.random() < 0.25:
        parts += [
            stroke([(x, top - 0.05), (x + 0.08, top - 0.16), (x, top - 0.28)], 0.06, "steam") for x in (-0.4, 0.0)
        ]
    if r.random() < 0.2:
        parts.append(stroke([(left + taper / 2, 0.1), (right - taper / 2, 0.1)], 0.14, r.choice(["accent", "shade"])))
    return parts


def key(r):
    bow, shaft = r.uniform(0.34, 0.46), r.uniform(0.07, 0.13)
    cx = -1 + bow
    hole = ellipse(cx, 0, bow * r.uniform(0.4, 0.62), n=18)
    outer = ellipse(cx, 0, bow, bow * r.uniform(0.9, 1.1), n=26)
    if r.random() < 0.25:
        outer = rounded(cx - bow, -bow, cx + bow, bow, bow * 0.3)
    parts = [fill(outer, hole), fill(rect(cx + bow * 0.9, -shaft, 1, shaft))]
    long, wide = r.uniform(0.22, 0.36), r.uniform(0.08, 0.12)
    for x in ((0.92, 0.62), (0.9, 0.66, 0.42))[r.randint(0, 1)]:
        parts.append(fill(rect(x - wide, 0, x + wide * 0.8, shaft + long * r.uniform(0.7, 1))))
    return parts


def apple(r):
    lean = r.uniform(0.0, 0.18)
    half = [(0, -0.52), (0.4, -0.7), (0.85, -0.45), (0.88, 0.1), (0.6 - lean / 2, 0.7), (0.25, 0.9), (0, 0.8)]
    outline = smooth(np.concatenate([half, mirror(half)[::-1][1:-1]]))
    parts = [
        stroke([(0, -0.5), (r.uniform(-0.05, 0.2), -0.98)], 0.1, r.choice(["wood", "wood", "accent", "shade"])),
        fill(outline),
    ]
    if r.random() < 0.75:
        leaf = smooth([(0.06, -0.68), (0.3, -1.0), (0.65, -0.95), (0.4, -0.68)])
        parts.append(fill(leaf, role=r.choice(["plant", "plant", "shade"])))
    if r.random() < 0.2:
        parts.append(fill(turned(ellipse(-0.45, -0.2, 0.1, 0.22, n=14), 0.3, -0.45, -0.2), role="light"))
    return parts


def cat(r):
    if r.random() < 0.68:
        return _cat_head(r, 0, 0, 1)
    tail = smooth([(0.35, 0.85), (0.85, 0.75), (0.9, 0.3), (0.65, 0.05)], closed=False)
    parts = [stroke(tail, r.uniform(0.12, 0.18)), fill(ellipse(0, 0.5, r.uniform(0.42, 0.52), 0.5, n=26))]
    parts += [fill(ellipse(s * 0.2, 0.92, 0.16, 0.08, n=12), role=r.choice(["fill", "shade"])) for s in (-1, 1)]
    return parts + _cat_head(r, 0, -0.4, 0.52)


def _cat_head(r, x, y, scale):
    tall, tip = r.uniform(0.68, 0.82), r.uniform(0.62, 0.8)
    parts = []
    inner = r.random() < 0.4
    for s in (-1, 1):
        ear = np.array([(s * 0.82, -0.1), (s * tip, -0.98), (s * 0.15, -0.45)])
        parts.append(fill(ear))
        if inner:
            parts.append(fill((ear - ear.mean(0)) * 0.5 + ear.mean(0), role=r.choice(["shade", "blush"])))
    parts.append(fill(ellipse(0, 0.15, 0.88, tall, n=30)))
    tall_eye = r.uniform(1, 1.7)
    parts += [fill(ellipse(s * 0.36, 0.02, 0.11, 0.11 * tall_eye, n=12), role="accent") for s in (-1, 1)]
    parts.append(fill([(-0.1, 0.27), (0.1, 0.27), (0, 0.4)], role=r.choice(["accent", "blush"])))
    if r.random() < 0.75:
        parts += [
            stroke([(s * 0.3, 0.32 + d), (s * 1.0, 0.28 + 2.2 * d)], 0.045, "accent")
            for s in (-1, 1)
            for d in (-0.04, 0.06)
        ]
    if r.random() < 0.5:
        parts.append(stroke([(-0.2, 0.55), (0, 0.42), (0.2, 0.55)], 0.05, "accent"))
    return [
        p._replace(contours=[c * scale + np.float32((x, y)) for c in p.contours], width=p.width * scale) for p in parts
    ]
