"""Makes the corpus: small files of every sort, for the fuzzer to begin with. Needs Pillow; `python tests/fuzz/seeds.py`."""

import io
import json
import struct
import zlib
from pathlib import Path

from PIL import Image, TiffImagePlugin

CORPUS = Path(__file__).parent / "corpus"
SIZE = (19, 13)
XMP = b"""<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description rdf:about='' xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:lr='http://ns.adobe.com/lightroom/1.0/'>
<dc:subject><rdf:Bag><rdf:li>dog &amp; cat</rdf:li><rdf:li><![CDATA[a<b]]></rdf:li></rdf:Bag></dc:subject>
<lr:hierarchicalSubject><rdf:Seq><rdf:li>animal|dog</rdf:li></rdf:Seq></lr:hierarchicalSubject>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def put(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(content)


def picture(mode="RGB", size=SIZE):
    colours = Image.new("RGB", size)
    colours.putdata([(x * 13 % 256, y * 19 % 256, (x ^ y) * 7 % 256) for y in range(size[1]) for x in range(size[0])])
    if mode == "RGBA":
        colours.putalpha(Image.linear_gradient("L").resize(size))
        return colours
    if mode == "LA":
        return picture("RGBA", size).convert("LA")
    if mode == "P":
        return colours.quantize(8)
    return colours.convert(mode)


def exif():
    fields = Image.Exif()
    fields[0x010F], fields[0x0110], fields[0x0112], fields[0x0132] = "Maker", "Maker Model", 6, "2021:07:03 18:30:05"
    fields.get_ifd(0x8769)[0x9003] = "2021:07:03 18:30:05"
    places = {1: "S", 2: (59.0, 30.0, 15.5), 3: "W", 4: (10.0, 45.0, 0.0)}
    fields.get_ifd(0x8825).update(places)
    return fields.tobytes()


def saved(kind, image, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def interlaced_png():
    """Nine pixels each way, so that all seven passes have some."""
    rows = b""
    for x, dx, y, dy in [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)]:
        across, down = (9 + dx - 1 - x) // dx, (9 + dy - 1 - y) // dy
        rows += b"".join(bytes([row % 5]) + bytes(range(3 * across)) for row in range(down))
    header = struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 1)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiled_tiff():
    data = bytes(range(256)) * 3
    fields = [(256, 20), (257, 12), (258, 8), (259, 1), (262, 1), (277, 1), (322, 16), (323, 16)]
    behind = 8 + 2 + 12 * (len(fields) + 2) + 4
    out = b"II*\0" + struct.pack("<IH", 8, len(fields) + 2)
    for tag, value in fields:
        out += struct.pack("<HHII", tag, 4, 1, value)
    out += struct.pack("<HHII", 324, 4, 2, behind) + struct.pack("<HHII", 325, 4, 2, behind + 8) + bytes(4)
    return out + struct.pack("<4I", behind + 16, behind + 16 + 256, 256, 256) + data[:512]


def iptc(*keywords):
    sets = b"".join(b"\x1c\x02\x19" + struct.pack(">H", len(word)) + word for word in keywords)
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(sets)) + sets + b"\0" * (len(sets) % 2)


def with_segment(jpeg, marker, data):
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data + jpeg[2:]


def pictures():
    jpeg = saved("JPEG", picture(), quality=60)
    put("jpeg", "plain", jpeg)
    put("jpeg", "exif", saved("JPEG", picture(), quality=60, exif=exif()))
    put("jpeg", "progressive", saved("JPEG", picture(size=(40, 30)), quality=60, progressive=True))
    put("jpeg", "grey", saved("JPEG", picture("L"), quality=60))
    put("jpeg", "cmyk", saved("JPEG", picture("CMYK"), quality=60))
    put("jpeg", "full-colour", saved("JPEG", picture(size=(40, 30)), quality=60, subsampling=0, optimize=True))
    put("jpeg", "restart", saved("JPEG", picture(size=(50, 40)), quality=60, restart_marker_blocks=1))
    described = with_segment(jpeg, 0xED, b"Photoshop 3.0\0" + iptc(b"cat"))
    put("jpeg", "keywords", with_segment(described, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP))
    for mode in ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]:
        put("png", mode.replace(";", "-").lower(), saved("PNG", picture(mode)))
    put("png", "interlaced", interlaced_png())
    put("png", "exif", saved("PNG", picture(), exif=exif()))
    put("png", "profile", saved("PNG", picture(), icc_profile=b"profile" * 20))
    put("webp", "lossy", saved("WEBP", picture(), quality=50))
    put("webp", "lossless", saved("WEBP", picture(), lossless=True))
    put("webp", "transparent", saved("WEBP", picture("RGBA"), quality=50))
    put("webp", "exif", saved("WEBP", picture(), quality=50, exif=exif(), xmp=XMP))
    frames = [picture(), picture().rotate(180), picture().transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    put("webp", "film", saved("WEBP", frames[0], save_all=True, append_images=frames[1:], duration=50))
    put("webp", "film-lossless", saved("WEBP", frames[0], save_all=True, append_images=frames[1:], duration=50, lossless=True))
    put("gif", "plain", saved("GIF", picture("P")))
    put("gif", "film", saved("GIF", frames[0], save_all=True, append_images=frames[1:], duration=50))
    put("gif", "interlaced", saved("GIF", picture("P"), interlace=1))
    put("gif", "transparent", saved("GIF", picture("P"), transparency=0, comment=b"comment"))
    for mode in ["1", "L", "P", "RGB", "RGBA"]:
        put("bmp", mode.lower(), saved("BMP", picture(mode)))
    # Runs of 8-bit colours: three of one, an escape, two as they are, the end.
    runs = b"\x03\x01\x00\x00\x02\x02\x00\x02\x01\x00\x00\x03\x01\x02\x03\x00\x00\x01"
    header = struct.pack("<IiiHHIIiiII", 40, 4, 4, 1, 8, 1, len(runs), 0, 0, 4, 0)
    palette = bytes(range(16))
    put("bmp", "runs", b"BM" + struct.pack("<IHHI", 54 + 16 + len(runs), 0, 0, 54 + 16) + header + palette + runs)
    for compression in ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"]:
        put("tiff", compression, saved("TIFF", picture(), compression=compression))
    put("tiff", "bits", saved("TIFF", picture("1"), compression="group4"))
    put("tiff", "cmyk", saved("TIFF", picture("CMYK")))
    put("tiff", "palette", saved("TIFF", picture("P")))
    put("tiff", "jpeg", saved("TIFF", picture(), compression="jpeg"))
    put("tiff", "tiles", tiled_tiff())
    containers = Path(__file__).parent.parent / "fixtures" / "containers"
    for name in ["tiles.heic", "layers.heic", "tiles.avif", "folded.jxl", "see-through.jxl"]:
        put(Path(name).suffix[1:], Path(name).stem, (containers / name).read_bytes())
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[700], info[271], info[306] = XMP, "Maker", "2021:07:03 18:30:05"
    put("tiff", "described", saved("TIFF", picture("L"), tiffinfo=info))


def directory(fields, at, following=0):
    """Of fields whose values are bytes or numbers; those that are too long for it stand behind it, which is at `at`."""
    behind, out, values = at + 6 + 12 * len(fields), struct.pack("<H", len(fields)), b""
    for tag, kind, value in fields:
        count, value = (1, struct.pack("<I", value)) if isinstance(value, int) else (len(value), value)
        if len(value) > 4:
            value += b"\0" * (len(value) % 2)
            values, value = values + value, struct.pack("<I", behind + len(values))
        out += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    return out + struct.pack("<I", following) + values


def raws():
    jpeg, small = saved("JPEG", picture(), quality=60), saved("JPEG", picture(size=(8, 8)), quality=20)
    at = 16 + len(jpeg) + len(jpeg) % 2

    def start(number, mark):
        return b"II" + struct.pack("<HI", number, at) + mark.ljust(8, b"\0") + jpeg + b"\0" * (len(jpeg) % 2)

    said = [(0x10F, 2, b"Canon\0"), (0x112, 3, 6), (0x132, 2, b"2021:07:03 18:30:05\0")]
    sized = [(0x100, 4, SIZE[0]), (0x101, 4, SIZE[1])]
    strip = [(0x111, 4, 16), (0x117, 4, len(jpeg))]
    put("raw", "cr2", start(42, b"CR\x02") + directory(sized + [(0x103, 3, 6)] + said + strip, at))
    pointers = [(0x201, 4, 16), (0x202, 4, len(jpeg))]
    put("raw", "arw", start(42, b"") + directory([(0x103, 3, 32767)] + said + pointers, at))
    version = [(0xC612, 1, b"\1\4\0\0"), (0x106, 3, 6), (0x103, 3, 7), (0x2BC, 1, XMP)]
    tiles = [(0x142, 4, 32), (0x143, 4, 32), (0x144, 4, 16), (0x145, 4, len(jpeg))]
    put("raw", "dng", start(42, b"") + directory(sized + said + version + strip, at))
    below = directory(sized + version[2:3] + tiles + [(0x15B, 7, b"\xff\xd8\xff\xd9"), (0x106, 3, 2)], at)
    below += b"\0" * (len(below) % 2)
    first = directory(said + version[:1] + [(0x14A, 4, at)], at + len(below))
    put("raw", "tiles", start(42, b"")[:4] + struct.pack("<I", at + len(below)) + start(42, b"")[8:] + below + first)
    pixels = picture(size=(4, 3)).tobytes()
    plain = [(0x100, 4, 4), (0x101, 4, 3), (0x102, 1, b"\x08\x08\x08"), (0x103, 3, 1), (0x106, 3, 2), (0x115, 3, 3)]
    behind = 8 + 6 + 12 * (len(plain) + 3)
    plain += [(0x111, 4, behind), (0x117, 4, len(pixels)), (0xC612, 1, b"\1\4\0\0")]
    put("raw", "plain", b"II*\0\x08\0\0\0" + directory(plain, 8) + pixels)
    put("raw", "rw2", start(0x55, b"") + directory([(0x2E, 7, jpeg)] + said, at))
    put("raw", "orf", start(0x4F52, b"") + directory(said, at) + small)
    put("raw", "raf", b"FUJIFILMCCD-RAW ".ljust(84, b"\0") + struct.pack(">II", 92, len(jpeg)) + jpeg)

    def block(name, body):
        return name + struct.pack(">I", len(body)) + body

    put("raw", "mrw", block(b"\0MRM", block(b"\0TTW", exif()[6:])) + jpeg)
    put("raw", "cr3", cr3(jpeg, small))


def cr3(jpeg, small):
    def box(kind, body):
        return struct.pack(">I", 8 + len(body)) + kind + body

    def uuid(name, body):
        return box(b"uuid", bytes.fromhex(name) + body)

    structure = b"II*\0\x08\0\0\0" + directory([(0x10F, 2, b"Canon\0"), (0x112, 3, 6)], 8)
    canon = box(b"CMT1", structure) + box(b"CMT2", structure) + box(b"CMT4", structure)
    canon += box(b"THMB", bytes(16) + small)
    preview = uuid("eaf42b5e1c984b88b9fbb7dc406e4d16", bytes(8) + box(b"PRVW", bytes(16) + small))
    packet = uuid("be7acfcb97a942e89c71999491e3afac", XMP)

    def moov(at):
        table = box(b"stsz", struct.pack(">III", 0, len(jpeg), 1)) + box(b"co64", struct.pack(">IIQ", 0, 1, at))
        track = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table))))
        return box(b"moov", uuid("85c0b687820f11e08111f4ce462b6a48", canon) + track)

    start = box(b"ftyp", b"crx \0\0\0\1crx isom")
    at = len(start) + len(moov(0)) + len(packet) + len(preview) + 8
    return start + moov(at) + packet + preview + box(b"mdat", jpeg)


def metadata():
    put("exif", "little", exif()[6:])
    put("exif", "big", b"MM\0*\0\0\0\x08\0\x01\x01\x32\0\x02\0\0\0\x14\0\0\0\x1a\0\0\0\x002021:07:03 18:30:05\0")
    put("keywords", "xmp", XMP)
    put("keywords", "iptc", iptc(b"cat", "Straße".encode(), b"Stra\xdfe\0"))


def texts():
    put("query", "all", 'red car +0.5:night -snow "a \\"b\\"" tag:vehicle,"Paris, France" -tag:toy after:2023-01 before:2024 path:2023/*')
    put("query", "numbers", f"width:800.. height:..600 size:500kb..2mb area:59.8,10.5,60.0,10.9 strictness:50 format:jpg image:{'0' * 64}")
    for name in ["all", "numbers"]:
        put("filter", name, (CORPUS / "query" / name).read_bytes())
    put("filter", "name", "IMG_0001 path:/photos/ü*[a-z]?")
    put("address", "ranking", "q=a+dog&tag=places%2Fbeach&path=2019&after=2020&before=2021-05&limit=10&facets=true&strictness=50")
    put("address", "duplicates", "by=similarity&similarity=0.9&q=tag:beach")
    put("address", "rest", f"set=places&label=beach&image={'0' * 64}")
    put("address", "size", "size=320")
    put("cursor", "ranking", "0123456789ab.0123456789ab.3e800000.ff800000.-.4d.3f800000.bf000000")
    put("cursor", "fits", "a.b.3e800000.3e000000.y.1.3f800000")
    put("names", "label", "places/Caf\u0065\u0301 \u00dcber|Paris, France")
    put("names", "set", "Orte-U\u0308bersee")
    put("tokens", "text", "A photo of a Straße, 20 dogs' cafe\u0301 \u732b <|endoftext|> <|startoftext|>!")


def files():
    full = {
        "q": "a dog",
        "strictness": 50,
        "limit": 20,
        "facets": True,
        "cursor": "1",
        "terms": [{"text": "x", "weight": -0.5}, {"image": "0" * 64}, {"upload": "AAAA"}],
        "filter": {
            "tags": {"all": ["a"], "any": ["b", "c"], "none": ["d"]},
            "paths": ["2019"],
            "after": "2020",
            "before": "2021-05-06T10",
            "formats": ["jpg"],
            "camera": "Maker",
            "width": {"from": 1, "to": 2},
            "height": {},
            "size_bytes": {"from": 1},
            "area": [59.8, 10.5, 60.0, 10.9],
        },
    }
    put("request", "search", json.dumps(full))
    put("request", "decide", json.dumps({"set": "s", "label": "l", "decision": None, "images": ["0" * 64], "search": {"q": "a"}}))
    for name, body in [("one", {"decision": "confirmed"}), ("forget", {"path": "/a"}), ("purge", {"older_than_days": 3})]:
        put("request", name, json.dumps(body))
    lines = [
        {"image": "0" * 64, "set": "places", "label": "beach", "decision": decision, "decided_at": "2024-01-01T00:00:00Z"}
        for decision in ["confirmed", "rejected", None]
    ]
    put("decisions", "lines", "\n".join(map(json.dumps, lines)) + "\n")
    put("label-set", "all", LABELS)
    put("label-set", "small", '[[labels]]\nname = "a"\n')
    put("config", "all", CONFIG)
    put("vectors", "two", embeddings())
    put("sidecar", "made", b"dog\nanimal|dog\n\0" + XMP)
    put("sidecar", "nothing", b"tree\0<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'></rdf:RDF>")
    put("sidecar", "ours", b"cat\0" + OURS.encode())
    put("segment", "graph", segment())
    shape = {"format": 1, "is_little_endian": True, "fingerprint": "model", "embedding_dim": 4, "nodes": 0, "upper_links": 0, "links": 0}
    tuned = {"way": "graph", "recall": 0.9, "ef_search": 10, "graph_us": 1.0, "scan_us": 9.0, "queries": 5}
    manifest = {"shape": shape, "tuning": {"text": tuned, "image": None}, "checksum": ""}
    put("segment", "manifest", b"\0" + json.dumps(manifest).encode())


def embeddings():
    tensors = {
        "__metadata__": {"model_fingerprint": "f", "model": "m"},
        "embeddings": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "hashes": {"dtype": "U8", "shape": [2, 32], "data_offsets": [16, 80]},
    }
    header = json.dumps(tensors).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + struct.pack("<4f", 1, 0, 0.6, 0.8) + bytes(64)


def segment():
    """Twenty nodes in a ring, the first two of them in the upper graph; see `src/index/layout.rs`."""
    nodes, dim = 20, 4
    arrays = [
        struct.pack("<5f", 0.01, 0, 0, 0, 0),
        struct.pack(f"<{nodes}q", *range(100, 100 + nodes)),
        struct.pack(f"<{nodes}I", *range(nodes)),
        struct.pack(f"<{nodes}f", *[0.01] * nodes),
        struct.pack("<3I", 0, 1, 2),
        struct.pack("<2I", 1, 0),
        struct.pack(f"<{nodes + 1}I", *range(nodes + 1)),
        struct.pack(f"<{nodes}I", *[(node + 1) % nodes for node in range(nodes)]),
        b"".join(bytes([128 + node, 128, 127, 120]) + b"\x80" * 60 for node in range(nodes)),
        struct.pack(f"<{nodes * dim}f", *[(node + at) / 40 for node in range(nodes) for at in range(dim)]),
    ]
    # A quarter of the links that are told.
    start, data = bytes([1, nodes, dim - 1, 2, nodes // 4]), b""
    for array in arrays:
        data += b"\0" * (-len(data) % 64) + array
    return start + data


LABELS = """id = "places"
mode = "exclusive"
scoring = "library"
threshold = 0.6
templates = ["a photo of a {label}."]
background = ["a photo."]
on_tag = "mail"

[[labels]]
name = "beach"
prompts = ["a sandy beach"]
negative = ["a desert"]
threshold = 0.7
parent = "nature"
on_tag = ["a", "b"]

[[labels]]
name = "nature"
learn = true
examples = ["2019/a.jpg"]
"""

CONFIG = """model = "bundled"
keep_deleted_days = 30
[ingest]
batch_size = 8
exclude = ["*.tmp"]
suspect_share = 0.5
[http]
listen = "127.0.0.1:7878"
[hooks.mail]
command = ["mail", "me"]
timeout_ms = 1000
"""

OURS = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pixdex="urn:pixdex:1.0/">
   <dc:subject><rdf:Bag><rdf:li>mine</rdf:li><rdf:li>dog</rdf:li></rdf:Bag></dc:subject>
   <pixdex:subject><rdf:Bag><rdf:li>dog</rdf:li></rdf:Bag></pixdex:subject>
   <pixdex:made><rdf:Bag><rdf:li>subject</rdf:li></rdf:Bag></pixdex:made>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""

if __name__ == "__main__":
    pictures()
    raws()
    metadata()
    texts()
    files()
