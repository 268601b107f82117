"""How long does Pillow take from a JPEG to the square of pixels that the model reads? One thread.

    python decode.py MODE PICTURES [--seconds 3]

MODE `full` is what CLIP programs in Python do: decode everything, then bicubic, then crop. `draft` lets the decoder
scale down to no less than twice the model's input first, which Pillow can do and hardly anybody asks for.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
from measuring import answer, seconds
from PIL import Image

SIDE = 224


def square(path, mode="full"):
    """The picture's middle, `SIDE` pixels wide and high, RGB."""
    picture = Image.open(path)
    if mode == "draft":
        picture.draft("RGB", (2 * SIDE, 2 * SIDE))
    picture = picture.convert("RGB")
    scale = SIDE / min(picture.size)
    width, height = (max(SIDE, int(side * scale)) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - SIDE) // 2, (height - SIDE) // 2
    return picture.crop((left, top, left + SIDE, top + SIDE))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["full", "draft"])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--seconds", type=float, default=3)
    given = parser.parse_args()
    paths = sorted(given.pictures.iterdir())
    turn = itertools.cycle(paths)
    # No fewer than each picture once: they differ in how long they take.
    median = seconds(lambda: np.asarray(square(next(turn), given.mode)), given.seconds, at_least=len(paths))
    answer(engine=f"pillow-{given.mode}", pictures=len(paths), ms_per_picture=1e3 * median)


if __name__ == "__main__":
    main()
