"""How fast a library such as people have is indexed for the first time, and what that takes.

    python tests/benches/mixed.py PIXDEX [--pictures N] [--model NAME] [--memory MIB] [--folder DIR]

PIXDEX is the program. N files (200) are made and kept in DIR: 60 % JPEG, 25 % HEIC, 5 % RAW (a DNG with a full preview), 5 % PNG, each
of twelve megapixels as a phone takes them, drawn so that they are as long as photos, and 5 % videos of 20 s in 1080p, in H.264. One `pixdex
index` reads them. Printed are files per
second, the most memory that was resident beside the budget for decoding, and the share of all processor time that went into decoding
and embedding, by the names of the threads that were seen at work. Needs NumPy, Pillow,
pillow-heif, PyAV and tifffile.
"""

import argparse
import collections
import contextlib
import io
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time

import av
import numpy
import pillow_heif
import tifffile
from PIL import Image

SIZE = (4032, 3024)
SHARES = {"jpg": 0.60, "heic": 0.25, "dng": 0.05, "png": 0.05, "mp4": 0.05}
FILM_SIZE = (1920, 1080)
FILM_RATE, FILM_S = 25, 20
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def photo(seed):
    """Smooth shapes, edges and a little grain: a JPEG of it has some three megabytes."""
    drawn = numpy.random.default_rng(seed)
    coarse = Image.fromarray(drawn.integers(0, 256, (12, 16, 3), numpy.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
    fine = Image.fromarray(drawn.integers(0, 256, (378, 504, 3), numpy.uint8)).resize(SIZE, Image.Resampling.BILINEAR)
    return Image.blend(coarse, fine, 0.25)


def write(path, seed):
    picture = photo(seed)
    if path.suffix == ".mp4":
        write_film(path, picture, photo(seed + 1))
    elif path.suffix == ".heic":
        pillow_heif.from_pillow(picture).save(path, quality=60)
    elif path.suffix == ".dng":
        write_dng(path, picture, seed)
    elif path.suffix == ".png":
        picture.save(path, compress_level=1)
    else:
        picture.save(path, quality=85)


def write_film(path, *pictures):
    """A slow pan over two pictures, one after the other."""
    halves = [numpy.asarray(picture) for picture in pictures]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FILM_RATE)
        stream.width, stream.height = FILM_SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "23", "preset": "veryfast"}
        for at in range(FILM_RATE * FILM_S):
            picture = halves[2 * at // (FILM_RATE * FILM_S)]
            shown = picture[at : at + FILM_SIZE[1], 2 * at : 2 * at + FILM_SIZE[0]]
            out.mux(stream.encode(av.VideoFrame.from_ndarray(numpy.ascontiguousarray(shown), "rgb24")))
        out.mux(stream.encode())


def write_dng(path, picture, seed):
    """What the sensor saw is left small: it is not looked at."""
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=85)
    sensor = numpy.random.default_rng(seed).integers(0, 4096, (512, 512), numpy.uint16)
    with tifffile.TiffWriter(path) as file:
        version = [(50706, "B", 4, (1, 4, 0, 0), True)]
        file.write(sensor, photometric=32803, extratags=version, metadata=None)
        file.write(
            iter([jpeg.getvalue()]), shape=(SIZE[1], SIZE[0], 3), dtype=numpy.uint8, photometric="YCBCR", compression="JPEG",
            subfiletype=1, rowsperstrip=SIZE[1], metadata=None,
        )  # fmt: skip


def make(folder, pictures):
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [ending for ending, share in SHARES.items() for _ in range(round(share * pictures))]
    for seed, ending in enumerate(wanted):
        path = folder / f"{seed:04}.{ending}"
        if not path.exists():
            write(path, seed)
    return len(wanted)


class Watch:
    """Processor time of a process' threads, by their names, for as long as they are seen."""

    def __init__(self, process):
        self.process, self.ticks, self.peak_kb = process, {}, 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.process.poll() is None:
            with contextlib.suppress(OSError, IndexError):
                self.look()
            time.sleep(0.02)

    def look(self):
        folder = pathlib.Path(f"/proc/{self.process.pid}")
        status = (folder / "status").read_text()
        self.peak_kb = int(status.split("VmHWM:")[1].split()[0])
        for task in (folder / "task").iterdir():
            name, fields = (task / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
            user, system = fields.split()[11:13]
            self.ticks[task.name] = (name, int(user) + int(system))

    def shares(self):
        self.thread.join()
        names = collections.Counter()
        for name, ticks in self.ticks.values():
            names[name] += ticks
        return names


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pixdex")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--memory", type=int, default=512, help="decode.memory_bytes, in MiB")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "pixdex-mixed")
    asked = parser.parse_args()
    pillow_heif.register_heif_opener()
    files = make(asked.folder, asked.pictures)
    with tempfile.TemporaryDirectory() as library:
        settings = {"PIXDEX_DECODE__MEMORY_BYTES": str(asked.memory << 20), "PIXDEX_MODEL": asked.model}
        started = time.monotonic()
        command = [asked.pixdex, "index", "--json", "--data-dir", library, asked.folder]
        process = subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        watch = Watch(process)
        report = json.loads(process.communicate()[0])
        took_s = time.monotonic() - started
        used = os.times()
    assert report["indexed"] == files, report
    total_s = used.children_user + used.children_system
    print(f"{files} files in {took_s:.1f} s: {files / took_s:.2f} a second")
    print(f"most memory resident {watch.peak_kb / 1024:.0f} MiB, with {asked.memory} MiB for decoding")
    for name, ticks in watch.shares().most_common(6):
        print(f"  {name}: {ticks / TICKS_PER_S / total_s:.0%} of {total_s:.1f} s of processor time")


if __name__ == "__main__":
    main()
