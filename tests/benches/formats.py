"""How long a picture of each format takes to the model's input, against Pillow, in turns on one core.

    cargo bench --bench decode --no-run          # tells where the program is
    python tests/benches/formats.py target/release/deps/decode-… [--folder DIR]

A picture of twelve megapixels is drawn and kept in DIR in each format. Each round decodes it with pixdex and with Pillow and its plugins,
and makes it 224 pixels small; of three, ours is the median and theirs the best. Printed twice, with the ratio. Needs NumPy, Pillow,
pillow-heif and pillow-jxl-plugin, and `taskset`.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import pillow_heif
import pillow_jxl  # noqa: F401, it makes itself known to Pillow
from mixed import photo

KINDS = {
    "jpeg": ("jpg", {"quality": 85}),
    "progressive": ("jpg", {"quality": 85, "progressive": True}),
    "webp": ("webp", {"quality": 80}),
    "tiff-lzw": ("tif", {"compression": "tiff_lzw"}),
    "heic": ("heic", {"quality": 60}),
    "avif": ("avif", {"quality": 60}),
    "jxl": ("jxl", {"quality": 80}),
}
SIDE = 224
ROUNDS = 3


def make(folder):
    """A folder for each format with one picture in it."""
    pillow_heif.register_heif_opener()
    picture = None
    for kind, (ending, options) in KINDS.items():
        path = folder / kind / f"picture.{ending}"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = picture or photo(1)
            picture.save(path, **options)


def by_pixdex(program, folder, way):
    """Milliseconds of one core to the model's input, the median of the program's own rounds."""
    command = ["taskset", "-c", "0", program, str(folder), "--side", str(SIDE), "--json"]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    figures = next(figures for figures in map(json.loads, lines) if figures["way"] == way)
    return figures["decode_ms"] + figures["resize_ms"]


SCRIPT = """
import sys, time
import pillow_heif, pillow_jxl
from PIL import Image
pillow_heif.register_heif_opener()
pillow_heif.options.DECODE_THREADS = 1
Image.MAX_IMAGE_PIXELS = None
best = 1e9
for _ in range(3):
    started = time.perf_counter()
    picture = Image.open(sys.argv[1]).convert("RGB")
    scale = 224 / min(picture.size)
    picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC).load()
    best = min(best, time.perf_counter() - started)
print(1000 * best)
"""


def by_pillow(path):
    command = ["taskset", "-c", "0", sys.executable, "-c", SCRIPT, str(path)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "pixdex-formats")
    asked = parser.parse_args()
    make(asked.folder)
    for kind, (ending, _) in KINDS.items():
        folder = asked.folder / kind
        for _ in range(2):
            ours, full = (by_pixdex(asked.program, folder, way) for way in ("chosen", "full"))
            theirs = by_pillow(folder / f"picture.{ending}")
            print(f"{kind}: {ours:.0f} ms ({full:.0f} in full), Pillow {theirs:.0f} ms: {ours / theirs:.2f} x")
            time.sleep(1)


if __name__ == "__main__":
    main()
