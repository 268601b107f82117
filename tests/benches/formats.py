"""How long a picture of each format takes to the model's input, against Pillow, in turns on one core.

    cargo bench --bench decode --no-run          # tells where the program is
    python tests/benches/formats.py target/release/deps/decode-… [--folder DIR]

A picture of twelve megapixels is drawn and kept in DIR in each format. Each round decodes it with pixdex and with Pillow and its plugins,
and makes it 224 pixels small; of three, ours is the median and theirs the best. Printed twice, with the ratio, and with the most
memory that either takes for it, the file among it. Needs NumPy, Pillow, pillow-heif and pillow-jxl-plugin, and `taskset`.
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
    """Milliseconds of one core to the model's input, the median of the program's own rounds, and MiB."""
    command = ["taskset", "-c", "0", program, str(folder), "--side", str(SIDE), "--way", way, "--json"]
    figures = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return figures["decode_ms"] + figures["resize_ms"], figures["peak_mib"]


SCRIPT = """
import resource, sys, time
import pillow_heif, pillow_jxl
from PIL import Image
pillow_heif.register_heif_opener()
pillow_heif.options.DECODE_THREADS = 1
Image.MAX_IMAGE_PIXELS = None
best = 1e9
peak_mib = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before_mib = peak_mib()
for _ in range(3):
    started = time.perf_counter()
    picture = Image.open(sys.argv[1]).convert("RGB")
    scale = 224 / min(picture.size)
    picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC).load()
    best = min(best, time.perf_counter() - started)
print(1000 * best, peak_mib() - before_mib)
"""


def by_pillow(path):
    command = ["taskset", "-c", "0", sys.executable, "-c", SCRIPT, str(path)]
    took_ms, peak_mib = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    return float(took_ms), float(peak_mib)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "pixdex-formats")
    asked = parser.parse_args()
    make(asked.folder)
    for kind, (ending, _) in KINDS.items():
        folder = asked.folder / kind
        for _ in range(2):
            ours, ours_mib = by_pixdex(asked.program, folder, "chosen")
            full, _ = by_pixdex(asked.program, folder, "full")
            theirs, theirs_mib = by_pillow(folder / f"picture.{ending}")
            print(
                f"{kind}: {ours:.0f} ms ({full:.0f} in full), Pillow {theirs:.0f} ms: {ours / theirs:.2f} x; "
                f"{ours_mib:.0f} MiB, Pillow {theirs_mib:.0f} MiB"
            )
            time.sleep(1)


if __name__ == "__main__":
    main()
