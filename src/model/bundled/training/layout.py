"""How many things a picture holds, how large they are, where they stand and how they are turned."""

from math import cos, pi, radians, sin

import numpy as np
from world import NONE, SIZES

# How far, in degrees, people turn a thing when they draw it. What is not listed stays within 12.
TURNS = {
    **dict.fromkeys(["circle", "ring", "star", "sun"], 180),
    **dict.fromkeys(["butterfly", "key", "leaf", "moon", "rocket"], 45),
    **dict.fromkeys(["fish", "flower", "heart", "umbrella"], 25),
    **dict.fromkeys(["apple", "balloon", "bird", "cross", "triangle"], 20),
    **{"arrow": 15, "square": 14, "diamond": 8, "house": 6, "mountain": 3},
}
LYING = {"arrow": 0.75, "key": 0.35, "leaf": 0.4}  # how often these start from another quarter or eighth of a turn
FLIPPED = {"fish", "bird", "car", "boat", "mug", "cloud", "mountain", "cat", "key", "moon", "umbrella", "house"}

# (smallest, largest) extent by number of things, as shares of the picture. No thing is under 21 of 96 pixels.
EXTENTS = {
    1: (0.24, 0.92),
    2: (0.24, 0.5),
    3: (0.24, 0.44),
    4: (0.24, 0.4),
    5: (0.24, 0.36),
    6: (0.24, 0.31),
    7: (0.24, 0.31),
}


def pick_size(r, level):
    """(how many, their extent, the index in SIZES). All but a share of `level` are one big thing by decree."""
    if r.random() > level:
        return 1, r.uniform(0.55, 0.92), SIZES.index("big")
    count = r.choices([1, 2, 3, r.randint(4, 7)], [0.46, 0.18, 0.18, 0.18])[0]
    extent = r.uniform(*EXTENTS[count])
    big, small = (0.58, 0.36) if count == 1 else (0.40, 0.29)
    return count, extent, SIZES.index("big") if extent > big else SIZES.index("small") if extent < small else NONE


def places(r, count, extent):
    """Centres, in shares of the side: one anywhere, several in a row or anywhere without overlap."""
    reach = max(0.0, 0.5 - extent / 2 + r.choice([0, 0, 0.06]))
    if count == 1:
        calm = r.choice([0.3, 1, 1])
        return [(0.5 + r.uniform(-reach, reach) * calm, 0.5 + r.uniform(-reach, reach) * calm)]
    if count <= 3 and extent * count < 1.02 and r.random() < 0.3:
        return _row(r, count, extent, reach)
    return _scattered(r, count, extent, reach)


def _row(r, count, extent, reach):
    pitch, y = max(extent * 1.08, r.uniform(0.8, 1) / count), 0.5 + r.uniform(-reach, reach) * r.choice([0.1, 1])
    row = [(0.5 + (k - (count - 1) / 2) * pitch, y + r.uniform(-0.02, 0.02)) for k in range(count)]
    return row if r.random() < 0.8 else [(y, x) for x, y in row]


def _scattered(r, count, extent, reach):
    """Tries places until all are free; now and then lets them stand a little closer, so that it ends."""
    apart = extent * 1.05
    while True:
        found = []
        for _ in range(40 * count):
            x, y = 0.5 + r.uniform(-reach, reach), 0.5 + r.uniform(-reach, reach)
            if all(
                max(abs(x - a), abs(y - b)) > apart * 0.93 or (x - a) ** 2 + (y - b) ** 2 > apart**2 for a, b in found
            ):
                found.append((x, y))
                if len(found) == count:
                    return found
        apart *= 0.96
        reach = min(reach * 1.02, 0.5 - extent * 0.4)


def placement(r, name, parts, side, place, extent, turn, flip):
    """(matrix, offset, scale) from a design's own coordinates to the canvas, its bounding box made `extent` wide.

    `turn` in -1..1 is a share of the thing's usual turn; None picks one.
    """
    points = np.concatenate([contour for part in parts for contour in part.contours])
    low, high = points.min(0), points.max(0)
    limit = radians(TURNS.get(name, 12))
    angle = limit * (turn if turn is not None else r.uniform(-1, 1)) * (0.15 if limit < 1 and r.random() < 0.4 else 1)
    if r.random() < LYING.get(name, 0):
        angle += r.choice([2, 2, 4, 6, 6, r.randrange(8)]) * pi / 4
    scale = extent * side / float(max(high - low))
    squeeze = r.uniform(0.86, 1.0) if name not in ("circle", "square") else r.uniform(0.95, 1)
    stretch = np.array([squeeze, 1.0] if r.random() < 0.5 else [1.0, squeeze])
    if name in FLIPPED and flip:
        stretch[0] *= -1
    matrix = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]]) @ np.diag(scale * stretch)
    return matrix, np.array(place) * side - matrix @ ((low + high) / 2), scale
