"""Draws pictures of the training world, each with the truth about it.

`python draw.py sheet.png` writes a contact sheet to look at. A picture holds one kind of thing in one colour, some
number of times, on one background. Some colour-thing pairs are never drawn for training (`world.HELD_OUT`).
"""

import random
import sys

import backgrounds
import cv2
import numpy as np
import objects
import shapes
from finish import light, photograph
from layout import pick_size, placement, places
from palette import COLOURS, difference, nearest, shade_of
from style import pick_kind, pick_style
from world import BACKGROUNDS, HELD_OUT, NONE, THINGS, Truth, describe

SIDE = 96  # the model's input
GRID = 12  # the coverage map's side: one cell per patch of 8 pixels
DESIGNS = [getattr(shapes, name, None) or getattr(objects, name) for name in THINGS]


def draw(r, pairs="train", level=1.0, often=None):
    """One picture: (RGB array of SIDE, Truth, coverage grid in 0..255).

    `pairs` is "train", "held_out", or "test": the pairs of training without its pictures of nothing and of nameless
    colours. `often` weighs the things, which are equally frequent without it. `level` below 1 makes some pictures,
    0 all, show one big thing.
    """
    side = r.choice([2, 2, 2, 3]) * SIDE
    thing, colour = _pick_pair(r, pairs, often)
    if pairs == "train" and r.random() < 0.03:
        return _empty(r, side)
    fill = shade_of(r, COLOURS[colour])
    if pairs == "train" and r.random() < 0.05:
        fill, colour = _nameless(r, thing), NONE
    count, extent, size = pick_size(r, level)
    outlined, hollow = pick_kind(r, THINGS[thing], fill, extent)
    before, behind, background, tint = _contrasting(r, side, fill, 14 if outlined else 25)
    style = pick_style(r, fill, behind, outlined, hollow)
    canvas, mask = _with_things(r, before, thing, count, extent, style)
    picture = photograph(r, light(r, before, canvas, mask), SIDE)
    grid = cv2.resize(mask, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return picture, Truth(thing, colour, background, tint, min(count, 4) - 1, size), grid


def _pick_pair(r, pairs, often):
    if pairs == "held_out":
        return r.choice(sorted(HELD_OUT))
    while True:
        pair = r.choices(range(len(THINGS)), often)[0], r.randrange(len(COLOURS))
        if pair not in HELD_OUT:
            return pair


def _nameless(r, thing):
    """Any colour at all but one that would show a held-out pair; captions do not name it."""
    while True:
        fill = tuple(r.randrange(256) for _ in range(3))
        if (thing, nearest(fill)) not in HELD_OUT:
            return fill


def _empty(r, side):
    """A background alone."""
    name = r.choice(BACKGROUNDS)
    canvas, _, tint = backgrounds.paint(r, name, side)
    truth = Truth(NONE, NONE, BACKGROUNDS.index(name), tint, NONE, NONE)
    return photograph(r, canvas, SIDE), truth, np.zeros((GRID, GRID), np.uint8)


def _contrasting(r, side, fill, least):
    """A background that the fill stands out from: (canvas, its main colours, its index, its colour's index)."""
    while True:
        name = r.choice(BACKGROUNDS)
        for _ in range(4):
            canvas, behind, tint = backgrounds.paint(r, name, side)
            if min(difference(fill, c) for c in behind) > least:
                return canvas, behind, BACKGROUNDS.index(name), tint


def _with_things(r, background, thing, count, extent, style):
    """(the background with things on it, a mask of the things). They often share design, turn and direction."""
    canvas, mask = background.copy(), np.zeros(background.shape[:2], np.uint8)
    shared = DESIGNS[thing](r) if r.random() < 0.6 else None
    turn = r.uniform(-1, 1) if r.random() < 0.5 else None
    flip = r.random() < 0.5
    for place in places(r, count, extent):
        parts = shared or DESIGNS[thing](r)
        where = placement(r, THINGS[thing], parts, len(mask), place, extent * r.uniform(0.94, 1.08), turn, flip)
        _render(canvas, mask, parts, where, style)
    return canvas, mask


def _render(canvas, mask, parts, where, style):
    """Paints a thing. An outline around the whole is the whole drawn fatter in ink first."""
    matrix, offset, scale = where
    placed = [([np.int32((c @ matrix.T + offset) * 16) for c in part.contours], part) for part in parts]
    pen = max(1, round(style.width * scale))
    if style.ink is not None:
        for contours, part in placed:
            _stroke(canvas, contours, part, style.ink, scale, 2 * pen)
    for contours, part in placed:
        if part.width:
            _stroke(canvas, contours, part, style.paint[part.role], scale)
            _stroke(mask, contours, part, 255, scale)
            continue
        cv2.fillPoly(canvas, contours, style.paint[part.role], cv2.LINE_AA, 4)
        cv2.fillPoly(mask, contours, 255, cv2.LINE_8, 4)
        if style.ink is not None and style.every_part:
            cv2.polylines(canvas, contours, True, style.ink, pen, cv2.LINE_AA, 4)


def _stroke(canvas, contours, part, colour, scale, extra=0):
    width = max(1, round(part.width * scale)) + extra
    cv2.polylines(canvas, contours, part.closed or not part.width, colour, width, cv2.LINE_AA, 4)


def contact_sheet(path, seed=1, columns=12, rows=10):
    r = random.Random(seed)
    sheet = np.zeros((rows * (SIDE + 14), columns * (SIDE + 4), 3), np.uint8)
    for k in range(rows * columns):
        picture, truth, _ = draw(r)
        y, x = k // columns * (SIDE + 14), k % columns * (SIDE + 4)
        sheet[y : y + SIDE, x : x + SIDE] = picture[..., ::-1]
        cv2.putText(
            sheet,
            describe(truth)[:22],
            (x, y + SIDE + 10),
            cv2.FONT_HERSHEY_PLAIN,
            0.6,
            (255, 255, 255),
            1,
            cv2.LINE_AA,
        )
    cv2.imwrite(path, sheet)


if __name__ == "__main__":
    contact_sheet(sys.argv[1] if len(sys.argv) > 1 else "sheet.png")
