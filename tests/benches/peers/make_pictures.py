"""Makes JPEGs like those of a phone: 12 megapixels, about 3 MB, colour at half resolution, quality 88.

    python make_pictures.py FOLDER [--count 24] [--width 4000] [--height 3000] [--kind jpg]

1/f noise has the spectrum of natural pictures; gradients are sky, polygons are edges, and a little grain is the sensor.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

# The ending and the settings of each kind of file.
PHOTO = {"quality": 88, "subsampling": "4:2:0"}
KINDS = {
    "jpg": ("jpg", PHOTO),
    "progressive": ("jpg", {**PHOTO, "progressive": True}),
    "png": ("png", {}),
    "webp": ("webp", {"quality": 85}),
    "webp-lossless": ("webp", {"lossless": True}),
    "gif": ("gif", {}),
    "bmp": ("bmp", {}),
    "tiff": ("tif", {}),
    "tiff-lzw": ("tif", {"compression": "tiff_lzw"}),
}
GRAIN = 3.0  # deviation in grey levels at 12 megapixels; it decides how large the file gets


def pink_noise(random, height, width):
    """Noise whose amplitude falls with frequency, mean 0, deviation 1."""
    spectrum = np.fft.rfft2(random.standard_normal((height, width), dtype=np.float32))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]).astype(np.float32)
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(spectrum / frequency, s=(height, width))
    return (noise / noise.std()).astype(np.float32)


def gradient(random, height, width):
    """One colour runs into another, at some angle."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)[None]
    share = ((np.cos(angle) * x + np.sin(angle) * y) / 2.9 + 0.5)[..., None]
    first, second = random.uniform(20, 235, (2, 3)).astype(np.float32)
    return first * (1 - share) + second * share


def with_polygons(random, picture, count=14):
    """Flat shapes with sharp edges, some large and most small."""
    canvas = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    for _ in range(count):
        centre = random.uniform(0, 1, 2) * canvas.size
        reach = random.exponential(0.12) * min(canvas.size)
        corners = centre + random.uniform(-reach, reach, (random.integers(3, 7), 2))
        draw.polygon([tuple(corner) for corner in corners], fill=tuple(random.integers(0, 256, 3).tolist()))
    return np.asarray(canvas, dtype=np.float32)


def picture(seed, width, height):
    random = np.random.default_rng(seed)
    colours = with_polygons(random, gradient(random, height, width))
    light = random.uniform(8, 22) * pink_noise(random, height, width)
    grain = GRAIN * random.standard_normal((height, width), dtype=np.float32)
    tint = random.uniform(0.8, 1.2, 3).astype(np.float32)
    return Image.fromarray((colours + (light + grain)[..., None] * tint).clip(0, 255).astype(np.uint8))


def make(folder, count, width=4000, height=3000, kind="jpg", first_seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    ending, settings = KINDS[kind]
    for seed in range(first_seed, first_seed + count):
        path = folder / f"{seed:05}.{ending}"
        if not path.exists():
            picture(seed, width, height).save(path, **settings)


def make_copies(folder, count, originals=24):
    """`count` JPEGs of 12 megapixels, no two with the same bytes, from few pictures: a comment tells them apart."""
    sources = folder.with_name(folder.name + "-originals")
    make(sources, originals)
    folder.mkdir(exist_ok=True)
    contents = [path.read_bytes() for path in sorted(sources.iterdir())]
    for number in range(count):
        start, rest = contents[number % originals][:2], contents[number % originals][2:]
        (folder / f"{number:05}.jpg").write_bytes(start + b"\xff\xfe\x00\x0a%08d" % number + rest)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--kind", choices=list(KINDS), default="jpg")
    given = parser.parse_args()
    make(given.folder, given.count, given.width, given.height, given.kind)
