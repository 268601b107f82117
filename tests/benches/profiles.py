"""What a colour profile costs and wins in an embedding: how near a picture in other colours comes to itself in sRGB.

    python tests/benches/profiles.py PIXDEX FOLDER [--model NAME]

PIXDEX is the program; FOLDER has pictures in sRGB, such as those of `pixdex demo`, of which 30 are taken. Each is brought into the colours
of four profiles and written twice: with its profile, as pixdex takes it, and without, as if no program ever looked at profiles. Printed is
the cosine of the embeddings of both to that of the picture itself. Needs NumPy and Pillow.
"""

import argparse
import io
import json
import pathlib
import struct
import subprocess
import tempfile

import numpy
from PIL import Image, ImageCms

# Where red, green and blue lie, adapted to D50, and the power of the curves.
PROFILES = {
    "Display P3": (((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)), 2.2),
    "Adobe RGB": (((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)), 2.19921875),
    "ProPhoto": (((0.79767, 0.28804, 0), (0.13519, 0.71188, 0), (0.03134, 0.00009, 0.82491)), 1.8),
    "channels exchanged": (((0.14307, 0.06061, 0.7141), (0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708)), 2.2),
}
D50 = (0.9642, 1, 0.8249)
PICTURES = 30


def fixed(values):
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def profile(colors, gamma):
    """A profile of ICC's version 2 with nothing in it but what must be."""
    xyz = [b"XYZ \0\0\0\0" + fixed(values) for values in colors]
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + b"\0" * 80
    name += b"\0" * (-len(name) % 4)
    tags = [(b"desc", name), (b"cprt", b"text\0\0\0\0none\0\0\0\0"), (b"wtpt", b"XYZ \0\0\0\0" + fixed(D50))]
    tags += zip((b"rXYZ", b"gXYZ", b"bXYZ"), xyz, strict=True)
    tags += [(tag, curve) for tag in (b"rTRC", b"gTRC", b"bTRC")]
    at = 132 + 12 * len(tags)
    table, data = b"", b""
    for tag, value in tags:
        table += tag + struct.pack(">II", at + len(data), len(value))
        data += value
    head = struct.pack(">I4xI", at + len(data), 0x02100000) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28) + fixed(D50) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + data


def embeddings(pixdex, model, files):
    command = [pixdex, "embed", "--json", "--model", model]
    for file in files:
        command += ["--image", str(file)]
    answer = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    rows = numpy.array([answer["images"][str(file)] for file in files], float)
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pixdex")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--model", default="bundled")
    asked = parser.parse_args()
    files = sorted(file for file in asked.folder.rglob("*") if file.suffix in {".jpg", ".png"})[:PICTURES]
    pictures = [Image.open(file).convert("RGB") for file in files]
    srgb = ImageCms.createProfile("sRGB")
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder) / f"{at}.png" for at in range(len(pictures))]

        def embedded(pixels, icc):
            for path, values in zip(paths, pixels, strict=True):
                Image.fromarray(values).save(path, icc_profile=icc)
            return embeddings(asked.pixdex, asked.model, paths)

        truth = embedded([numpy.asarray(picture) for picture in pictures], None)
        for name, (colors, gamma) in PROFILES.items():
            icc = profile(colors, gamma)
            others = [ImageCms.profileToProfile(picture, srgb, io.BytesIO(icc), 1, "RGB") for picture in pictures]
            others = [numpy.asarray(picture) for picture in others]
            for way, kept in (("as pixdex takes it", icc), ("without its profile", None)):
                cosines = (embedded(others, kept) * truth).sum(1)
                print(f"{name}, {way}: {cosines.mean():.4f}, worst {cosines.min():.4f}")


if __name__ == "__main__":
    main()
