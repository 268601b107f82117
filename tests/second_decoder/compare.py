"""Compares what pixdex decodes with a second decoder, over generated files of every kind.

    cargo build --example decode
    python tests/second_decoder/compare.py target/debug/examples/decode

Needs numpy, Pillow, tifffile and imagecodecs, and the programs `cjpeg` (libjpeg-turbo) and `tiffcp` (libtiff); what is not there is
left out, and told. A file is right where it has the same size and differs by two of 255 in the mean at most, and where it is refused if it
lacks pixels. Ends with 1 where one is wrong.
"""

import io
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy
from PIL import Image, ImageCms, ImageDraw

try:
    import tifffile
except ImportError:
    tifffile = None

WIDTH, HEIGHT = 333, 251
MOST = 2.0

y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
PIXELS = numpy.stack(
    [
        127 + 100 * numpy.sin(x / 23 + y / 17),
        127 + 100 * numpy.sin(x / 31 - y / 13 + 1),
        127 + 100 * numpy.cos(x / 11 + y / 29),
    ],
    2,
).astype(numpy.uint8)
PIXELS[60:100, 80:200] = [200, 30, 40]
PICTURE = Image.fromarray(PIXELS)
GREY = numpy.asarray(PICTURE.convert("L"))

# By name: the file, and the right pixels, or nothing where it must be refused.
FILES = {}
LEFT_OUT = set()


def rgb(picture):
    return numpy.asarray(picture.convert("RGB"))


def three(grey):
    return numpy.repeat(grey[:, :, None], 3, 2)


def saved(picture, kind, **how):
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def opened(data):
    return rgb(Image.open(io.BytesIO(data)))


def program(*words, data=b""):
    try:
        ran = subprocess.run(words, input=data, capture_output=True)
    except FileNotFoundError:
        LEFT_OUT.add(words[0])
        return None
    return ran.stdout if ran.returncode == 0 else None


def segments(data):
    """Markers with their segments up to the first scan, and all from there on."""
    at, found = 2, []
    while data[at + 1] != 0xDA:
        length = struct.unpack(">H", data[at + 2 : at + 4])[0]
        found.append((data[at + 1], data[at + 4 : at + 2 + length]))
        at += 2 + length
    return found, data[at:]


def joined(found, scans):
    parts = [b"\xff" + bytes([marker]) + struct.pack(">H", len(part) + 2) + part for marker, part in found]
    return b"\xff\xd8" + b"".join(parts) + scans


def marked(data, has_jfif, adobe, ids):
    """The same with other words about its colours."""
    found, scans = segments(data)
    found = [(marker, part) for marker, part in found if marker not in (0xE0, 0xEE)]
    if adobe is not None:
        found.insert(0, (0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe])))
    if has_jfif:
        found.insert(0, (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"))
    scans = bytearray(scans)
    for at, (marker, part) in enumerate(found):
        if 0xC0 <= marker <= 0xC2:
            part = bytearray(part)
            for place, name in enumerate(ids):
                part[6 + 3 * place] = name
                scans[5 + 2 * place] = name
            found[at] = (marker, bytes(part))
    return joined(found, bytes(scans))


def jpegs(folder):
    apart, pair = folder / "apart", folder / "pair"
    apart.write_text("0;\n1;\n2;\n")
    pair.write_text("0;\n1 2;\n")
    ppm = saved(PICTURE, "PPM")
    samplings = "1x1 2x1 1x2 2x2 4x1 1x4 4x2 3x1 1x3 2x3 2x2,1x2 2x2,2x1,1x2 2x1,2x1,1x1 1x1,1x1,2x1".split()
    ways = {
        "baseline": [],
        "progressive": ["-progressive"],
        "arithmetic": ["-arithmetic"],
        "arithmetic-progressive": ["-arithmetic", "-progressive"],
        "apart": ["-scans", str(apart)],
        "pair": ["-scans", str(pair)],
        "restart": ["-restart", "3B"],
        "apart-restart": ["-scans", str(apart), "-restart", "5B"],
        "progressive-restart": ["-progressive", "-restart", "7B"],
        "arithmetic-restart": ["-arithmetic", "-restart", "2"],
        "optimised": ["-optimize"],
        "coarse": ["-quality", "6"],
        "rgb": ["-rgb"],
    }
    for sampling in samplings:
        for way, words in ways.items():
            data = program("cjpeg", "-quality", "90", "-sample", sampling, *words, data=ppm)
            if data:
                FILES[f"jpeg {sampling} {way}"] = (data, opened(data))
    for sampling in (0, 2):
        data = saved(PICTURE, "JPEG", quality=92, subsampling=sampling)
        for has_jfif in (False, True):
            for adobe in (None, 0, 1, 2):
                for ids in (b"\1\2\3", b"RGB", b"\0\1\2"):
                    changed = marked(data, has_jfif, adobe, ids)
                    name = f"jpeg colours {sampling} {has_jfif} {adobe} {ids}"
                    FILES[name] = (changed, opened(changed))
    for mode in ("L", "CMYK"):
        for is_progressive in (False, True):
            data = saved(PICTURE.convert(mode), "JPEG", quality=90, progressive=is_progressive)
            FILES[f"jpeg {mode} {is_progressive}"] = (data, opened(data))
            if mode == "CMYK":
                for adobe in (None, 0, 2):
                    changed = marked(data, False, adobe, b"")
                    FILES[f"jpeg {mode} {is_progressive} {adobe}"] = (changed, opened(changed))
    for name in [name for name in FILES if name.startswith(("jpeg 2x2 ", "jpeg L", "jpeg CMYK"))]:
        data, pixels = FILES[name]
        FILES[name + ", no end"] = (data[:-2], pixels)
        FILES[name + ", more"] = (data + b"\0" * 100 + b"\xff\xd8\xff", pixels)
        for share in (0.3, 0.6, 0.95):
            cut = data[: int(len(data) * share)].rstrip(b"\xff")
            FILES[f"{name}, {share}"] = (cut, None)
            FILES[f"{name}, {share}, ended"] = (cut + b"\xff\xd9", None)
            FILES[f"{name}, {share}, filled"] = (cut + bytes(len(data) - len(cut)), None)


def tiff(name, pixels, data, **how):
    if tifffile is None:
        LEFT_OUT.add("tifffile")
        return
    out = io.BytesIO()
    order, is_big = how.pop("order", "<"), how.pop("is_big", False)
    with tifffile.TiffWriter(out, byteorder=order, bigtiff=is_big) as writer:
        writer.write(data, **how)
    FILES["tiff " + name] = (out.getvalue(), pixels)


def tiffs(folder):
    packings = [None, "lzw", "zlib", "packbits", "zstd", "lzma"]
    wide = PIXELS.astype(numpy.uint16) * 257
    inks = PICTURE.convert("CMYK")
    for order in "<>":
        common = {"photometric": "rgb", "order": order}
        for packing in packings:
            for is_big in (False, True):
                name = f"{packing} {order} {is_big}"
                tiff(f"rgb {name}", PIXELS, PIXELS, compression=packing, is_big=is_big, **common)
            name = f"{packing} {order}"
            tiff(f"16 {name}", PIXELS, wide, compression=packing, **common)
            tiff(f"tiles {name}", PIXELS, PIXELS, compression=packing, tile=(64, 48), **common)
            planes = numpy.moveaxis(PIXELS, 2, 0)
            tiff(f"planes {name}", PIXELS, planes, compression=packing, planarconfig=2, **common)
            if packing in ("lzw", "zlib", "zstd"):
                for kind, number in [("u1", 1), ("u2", 257), ("u4", 16_843_009)]:
                    data = PIXELS.astype(kind) * numpy.array(number, kind)
                    how = {"compression": packing, "predictor": 2}
                    tiff(f"differences {kind} {name}", PIXELS, data, **how, **common)
                for kind in ("f2", "f4", "f8"):
                    how = {"compression": packing, "predictor": 3}
                    data = (PIXELS / 255).astype(kind)
                    tiff(f"differences {kind} {name}", PIXELS, data, **how, **common)
        for kind in ("f2", "f4", "f8"):
            tiff(f"{kind} {order}", PIXELS, (PIXELS / 255).astype(kind), **common)
            tiff(f"{kind} of 255 {order}", PIXELS, PIXELS.astype(kind), **common)
        for kind, number in [("u4", 16_843_009), ("i2", 128), ("i4", 8_421_504)]:
            tiff(f"{kind} {order}", PIXELS, PIXELS.astype(kind) * numpy.array(number, kind), **common)
        for planes, data in [(1, numpy.asarray(inks)), (2, numpy.moveaxis(numpy.asarray(inks), 2, 0))]:
            how = {"photometric": "separated", "planarconfig": planes, "order": order}
            tiff(f"inks {planes} {order}", rgb(inks), data, **how)
        how = {"photometric": "miniswhite", "order": order}
        tiff(f"white {order}", three(GREY), 255 - GREY, **how)
        how = {"photometric": "minisblack", "order": order}
        for bits in (2, 4, 6, 7) if order == ">" else (2, 4, 6, 7, 10, 12, 14):
            data = GREY >> (8 - bits) if bits < 8 else GREY.astype(numpy.uint16) << (bits - 8)
            shown = (data.astype(int) * 255 // (2**bits - 1)).astype(numpy.uint8)
            tiff(f"{bits} bits {order}", three(shown), data, bitspersample=bits, **how)
        pair = numpy.dstack([GREY, 255 - GREY])
        tiff(f"opacity {order}", three(GREY), pair, extrasamples=["unassalpha"], **how)
        few = PICTURE.quantize(256)
        palette = numpy.array(few.getpalette(), numpy.uint16).reshape(256, 3).T * 257
        how = {"photometric": "palette", "colormap": palette, "order": order}
        tiff(f"palette {order}", rgb(few), numpy.asarray(few), **how)
        to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        lab = numpy.asarray(ImageCms.applyTransform(PICTURE, to_lab)).copy()
        tiff(f"cielab {order}", PIXELS, lab, photometric="cielab", order=order)
        lab[:, :, 1:] ^= 0x80
        tiff(f"icclab {order}", PIXELS, lab, photometric="icclab", order=order)
        for sampling in ((1, 1), (2, 1), (2, 2)):
            how = {"compression": "jpeg", "subsampling": sampling}
            tiff(f"jpeg {sampling} {order}", PIXELS, PIXELS, **how, **common)
        tiff(f"webp {order}", PIXELS, PIXELS, compression="webp", **common)
    page = Image.new("1", (WIDTH, HEIGHT), 1)
    draw = ImageDraw.Draw(page)
    for line in range(20):
        draw.text((5, line * 12), f"Page, line {line}: the quick brown fox", fill=0)
    plain, packed = folder / "plain.tif", folder / "packed.tif"
    faxes = ["g3:1d", "g3:2d", "g3:1d:fill", "g3:2d:fill", "g4", "packbits", "lzw"]
    photos = ["lzw:2", "zip:2", "zstd:2", "lzma", "packbits", "jpeg:r", "none"]
    for picture, packings in [(page, faxes), (PICTURE, photos)]:
        picture.save(plain)
        for packing in packings:
            for end in ("msb2lsb", "lsb2msb"):
                for more in ([], ["-B"], ["-r", "16"], ["-8"]):
                    words = ["tiffcp", "-c", packing, "-f", end, *more, str(plain), str(packed)]
                    if program(*words) is not None:
                        name = f"tiff {picture.mode} {packing} {end} {more}"
                        FILES[name] = (packed.read_bytes(), rgb(picture))
    for name in [name for name in FILES if name.startswith("tiff rgb")]:
        data, _ = FILES[name]
        FILES[name + ", cut"] = (data[: len(data) * 2 // 3], None)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pngs():
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        data = saved(PICTURE.convert(mode), "PNG")
        # Pillow takes the colour of what is transparent from a palette; so do models' processors.
        FILES[f"png {mode}"] = (data, opened(data))
        FILES[f"png {mode}, no end"] = (data[:-12], opened(data))
        FILES[f"png {mode}, cut"] = (data[: len(data) * 2 // 3], None)
    for bits in (1, 2, 4):
        data = saved(PICTURE.quantize(2**bits), "PNG", bits=bits)
        FILES[f"png palette of {bits}"] = (data, opened(data))
    data = saved(Image.fromarray(GREY.astype(numpy.uint16) * 257), "PNG")
    FILES["png 16"] = (data, three(GREY))
    film = io.BytesIO()
    PICTURE.save(film, "PNG", save_all=True, append_images=[PICTURE.rotate(180)])
    FILES["png film"] = (film.getvalue(), PIXELS)
    rows = b"".join(b"\0" + row.tobytes() for row in (PIXELS.astype(">u2") * 257))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
    FILES["png 16 rgb"] = (data + chunk(b"IEND", b""), PIXELS)
    passes = [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)]
    rows = b""
    for left, across, top, down in passes:
        part = PIXELS[top::down, left::across]
        rows += b"".join(b"\0" + row.tobytes() for row in part)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
    FILES["png in passes"] = (data + chunk(b"IEND", b""), PIXELS)


def gifs():
    for colors in (2, 4, 16, 200, 256):
        for is_interlaced in (0, 1):
            few = PICTURE.quantize(colors)
            data = saved(few, "GIF", interlace=is_interlaced)
            name = f"gif {colors} {is_interlaced}"
            FILES[name] = (data, rgb(few))
            FILES[name + ", no screen"] = (data[:6] + bytes(4) + data[10:], rgb(few))
            palette = 13 + 3 * 2 ** ((data[10] & 7) + 1)
            trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
            packet = b"\x21\xff\x0bXMP DataXMP<x:xmpmeta>text</x:xmpmeta>" + trailer
            for what, more in [("packet", packet), ("stray", b"\x07"), ("empty", b"\0\0")]:
                changed = data[:palette] + more + data[palette:]
                FILES[f"{name}, {what}"] = (changed, rgb(few))
            FILES[name + ", no trailer"] = (data[:-1], rgb(few))
            FILES[name + ", cut"] = (data[: len(data) * 2 // 3], None)


def bmp(size, bits, rows, packing=0, palette=b"", masks=b"", header=40):
    if header == 12:
        info = struct.pack("<IHHHH", 12, size[0], size[1], 1, bits)
    else:
        colors = len(palette) // 4
        info = struct.pack("<IiiHHIIiiII", 40, *size, 1, bits, packing, len(rows), 0, 0, colors, 0)
    start = 14 + len(info) + len(masks) + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start)
    return head + info + masks + palette + rows


def bmps():
    for mode in ("1", "L", "P", "RGB"):
        data = saved(PICTURE.convert(mode), "BMP")
        FILES[f"bmp {mode}"] = (data, opened(data))
        FILES[f"bmp {mode}, cut"] = (data[: len(data) * 2 // 3], None)
    blue_first = PIXELS[:, :, ::-1]

    def pad(row):
        return row + bytes(-len(row) % 4)

    up = b"".join(pad(row.tobytes()) for row in blue_first[::-1])
    down = b"".join(pad(row.tobytes()) for row in blue_first)
    FILES["bmp down"] = (bmp((WIDTH, -HEIGHT), 24, down), PIXELS)
    FILES["bmp os/2"] = (bmp((WIDTH, HEIGHT), 24, up, header=12), PIXELS)
    four = numpy.dstack([blue_first, numpy.full((HEIGHT, WIDTH), 255, numpy.uint8)])
    FILES["bmp 32"] = (bmp((WIDTH, HEIGHT), 32, four[::-1].tobytes()), PIXELS)
    masks = struct.pack("<III", 0xFF, 0xFF00, 0xFF0000)
    red_first = numpy.dstack([PIXELS, four[:, :, 3]])[::-1].tobytes()
    FILES["bmp masks"] = (bmp((WIDTH, HEIGHT), 32, red_first, 3, masks=masks), PIXELS)
    red, green, blue = (PIXELS[:, :, at].astype(numpy.uint16) for at in range(3))
    narrow = (red >> 3 << 11 | green >> 2 << 5 | blue >> 3).astype("<u2")
    rows = b"".join(pad(row.tobytes()) for row in narrow[::-1])
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    shown = numpy.dstack([(red >> 3) * 255 // 31, (green >> 2) * 255 // 63, (blue >> 3) * 255 // 31])
    FILES["bmp 565"] = (bmp((WIDTH, HEIGHT), 16, rows, 3, masks=masks), shown.astype(numpy.uint8))
    narrow = (red >> 3 << 10 | green >> 3 << 5 | blue >> 3).astype("<u2")
    rows = b"".join(pad(row.tobytes()) for row in narrow[::-1])
    shown = numpy.dstack([part >> 3 for part in (red, green, blue)]) * 255 // 31
    FILES["bmp 555"] = (bmp((WIDTH, HEIGHT), 16, rows), shown.astype(numpy.uint8))
    few = PICTURE.quantize(16)
    numbers = numpy.asarray(few)
    colors = bytes(few.getpalette()[:48])
    palette = b"".join(colors[at : at + 3][::-1] + b"\0" for at in range(0, 48, 3))
    rows = b""
    for row in numbers[::-1]:
        at = 0
        while at < WIDTH:
            run = 1
            while at + run < WIDTH and run < 255 and row[at + run] == row[at]:
                run += 1
            rows += bytes([run, row[at]])
            at += run
        rows += b"\0\0"
    FILES["bmp runs"] = (bmp((WIDTH, HEIGHT), 8, rows + b"\0\1", 1, palette), rgb(few))
    pairs = numpy.pad(numbers, ((0, 0), (0, WIDTH % 2)))
    pairs = (pairs[:, ::2] << 4 | pairs[:, 1::2]).astype(numpy.uint8)
    rows = b"".join(pad(row.tobytes()) for row in pairs[::-1])
    FILES["bmp 4"] = (bmp((WIDTH, HEIGHT), 4, rows, 0, palette), rgb(few))


def webps():
    for name, how in [("lossless", {"lossless": True}), ("lossy", {"quality": 90})]:
        for mode in ("RGB", "RGBA"):
            data = saved(PICTURE.convert(mode), "WEBP", **how)
            FILES[f"webp {name} {mode}"] = (data, opened(data))
            FILES[f"webp {name} {mode}, cut"] = (data[: len(data) * 2 // 3], None)


def difference(data, right):
    head, pixels = data.split(b" 255\n", 1)
    _, width, height = head.split()
    shape = (int(height), int(width), 3)
    if shape != right.shape:
        return 255.0
    pixels = numpy.frombuffer(pixels, numpy.uint8).reshape(shape)
    return float(numpy.abs(pixels.astype(int) - right.astype(int)).mean())


def main():
    decode = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for make in (lambda: jpegs(folder), lambda: tiffs(folder), pngs, gifs, bmps, webps):
            make()
        lines = []
        for at, (data, _) in enumerate(FILES.values()):
            (folder / f"{at}").write_bytes(data)
            lines.append(f"{folder / str(at)}\t{folder / str(at)}.ppm\n")
        ran = subprocess.run([decode], input="".join(lines), capture_output=True, text=True, check=True)
        wrong = refused = silent = 0
        for at, ((kind, (_, right)), told) in enumerate(zip(FILES.items(), ran.stdout.splitlines())):
            if told != "ok":
                if right is not None:
                    refused += 1
                    print(f"refused: {kind}: {told}")
                continue
            by = 255.0 if right is None else difference((folder / f"{at}.ppm").read_bytes(), right)
            if by > MOST:
                silent += 1
                print(f"wrong by {by:.1f}: {kind}")
        wrong = refused + silent
        print(f"{len(FILES) - wrong} of {len(FILES)} right, {refused} refused, {silent} silently wrong")
        if LEFT_OUT:
            print("left out, for want of", ", ".join(sorted(LEFT_OUT)))
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
