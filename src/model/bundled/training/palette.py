"""The eleven colours. Each has several anchors, as people's drawing programs differ; a shade is a blend of them."""

import cv2
import numpy as np

ANCHORS = {
    "red": [(255, 0, 0), (220, 38, 38), (200, 20, 30), (230, 50, 45), (178, 20, 25)],
    "orange": [(255, 165, 0), (255, 140, 0), (245, 130, 30), (240, 120, 20)],
    "yellow": [(255, 255, 0), (250, 210, 40), (255, 230, 60), (245, 220, 20), (240, 200, 20)],
    "green": [(0, 128, 0), (40, 170, 70), (30, 200, 50), (0, 220, 0), (60, 140, 60), (20, 100, 30)],
    "blue": [(0, 0, 255), (40, 90, 220), (70, 130, 230), (30, 60, 160), (0, 0, 160), (40, 120, 240)],
    "purple": [(128, 0, 128), (150, 60, 200), (110, 40, 160), (140, 80, 190), (120, 20, 180)],
    "pink": [(255, 192, 203), (255, 105, 180), (245, 140, 190), (250, 160, 200)],
    "brown": [(139, 69, 19), (120, 72, 40), (101, 67, 33), (150, 90, 50), (110, 60, 25)],
    "black": [(0, 0, 0), (20, 20, 20), (35, 35, 38), (25, 25, 25)],
    "white": [(255, 255, 255), (250, 250, 250), (240, 240, 240), (245, 245, 242)],
    "gray": [(128, 128, 128), (150, 150, 150), (110, 112, 115), (165, 165, 168)],
}
COLOURS = list(ANCHORS)


def shade_of(r, name):
    """A colour that people would still call `name`."""
    a, b = r.sample(ANCHORS[name], 2)
    t = r.random() ** 2
    return tuple(min(255, max(0, round(x + (y - x) * t + r.uniform(-7, 7)))) for x, y in zip(a, b))


def lab(colour):
    return cv2.cvtColor(np.float32([[colour]]) / 255, cv2.COLOR_RGB2LAB)[0, 0]


def difference(a, b):
    """How well two colours stand apart, mostly by lightness; below about 20 they run together."""
    return float(np.linalg.norm((lab(a) - lab(b)) * (1, 0.6, 0.6)))


_ANCHOR_LABS = [np.stack([lab(c) for c in anchors]) for anchors in ANCHORS.values()]


def nearest(colour):
    """The index in COLOURS of the name that fits a colour best."""
    point = lab(colour)
    return int(np.argmin([np.linalg.norm(anchors - point, axis=1).min() for anchors in _ANCHOR_LABS]))


def scaled(colour, gain):
    return tuple(min(255, max(0, round(c * gain))) for c in colour)


def lighter(colour, amount):
    return tuple(round(c + (255 - c) * amount) for c in colour)


def brightness(colour):
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]
