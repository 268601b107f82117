"""What memory the daemon takes when 64 uploads and 64 thumbnails of the worst pictures are asked for at once.

    python tests/benches/bombs.py PIXDEX [--budget MIB] [--limit MIB] [--folder DIR]

PIXDEX is the program. `--budget` is `decode.memory_bytes`, 0 for its default; `--limit` puts the daemon into a control group of so much
memory (of the first kind, mounted at /sys/fs/cgroup/memory; as root). The pictures are made by this script, with the standard
library only: PNGs of sixteen bits and four channels, interlaced and not, GIFs of a large screen and of a large frame, and WebP and BMP
headers that promise as much. Those that fit into the budget are decoded, the others refused; the daemon must go on in any case.
"""

import argparse
import base64
import collections
import concurrent.futures
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zlib

AT_ONCE = 64
GROUPS = pathlib.Path("/sys/fs/cgroup/memory")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side, seed):
    """Sixteen bits, four channels; the seed makes the content another one."""
    row = b"\0" + bytes(8 * side)
    deflate = zlib.compressobj(9)
    data = b"".join(deflate.compress(row) for _ in range(side)) + deflate.flush()
    header = struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0)
    text = chunk(b"tEXt", b"seed\0%d" % seed)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + text + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def gif(screen, frame, seed):
    """A screen and a frame of any size; of its pixels there is one."""
    comment = b"!\xfe\x04%04d\0" % seed
    palette = b"\0\0\0\xff\xff\xff"

    def size(side):
        return struct.pack("<HH", side, side)

    return (b"GIF89a" + size(screen) + b"\x80\0\0" + palette + comment + b",\0\0\0\0" + size(frame) + b"\0\x02\x02L\x01\0;")


def webp(side, seed):
    data = b"\x2f" + struct.pack("<I", side - 1 | side - 1 << 14) + bytes(6) + bytes([seed & 255])
    return b"RIFF" + struct.pack("<I", 12 + len(data)) + b"WEBPVP8L" + struct.pack("<I", len(data)) + data


def bmp(side, seed):
    return b"BM" + struct.pack("<IIIIiiHHIIIIII", 0, seed, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)


def write_pictures(folder, budget_mib):
    """The largest that fit, and others that never do."""
    most = budget_mib * 3 / 4 * (1 << 20)
    fits = int((most * 0.9 / 11) ** 0.5)
    seeds = iter(range(10_000))
    pictures = {f"png{at}.png": png(min(fits, 17_000), next(seeds)) for at in range(8)}
    pictures |= {f"small{at}.png": png(1_500, next(seeds)) for at in range(16)}
    for side in (10_000, 17_000):
        pictures |= {f"gif{side}.gif": gif(side, side, next(seeds)), f"frame{side}.gif": gif(1, side, next(seeds))}
        pictures |= {f"webp{side}.webp": webp(min(side, 16_000), next(seeds)), f"bmp{side}.bmp": bmp(side, next(seeds))}
    for name, content in pictures.items():
        (folder / name).write_bytes(content)
    return list(pictures.values())


class Daemon:
    def __init__(self, arguments, folder):
        environment = os.environ | {
            "PIXDEX_MODEL": "bundled",
            "PIXDEX_DECODE__MEMORY_BYTES": str(arguments.budget << 20),
            "PIXDEX_HTTP__MAX_REQUESTS": str(2 * AT_ONCE),
            "PIXDEX_INGEST__SETTLE_MS": "300",
        }
        command = [arguments.pixdex, "serve", str(folder / "pictures"), "--data-dir", str(folder / "library")]
        command += ["--listen", "127.0.0.1:0"]
        self.group = None
        if arguments.limit:
            self.group = GROUPS / f"pixdex-bombs-{os.getpid()}"
            self.group.mkdir()
            (self.group / "memory.limit_in_bytes").write_text(str(arguments.limit << 20))
            command = ["sh", "-c", f'echo $$ > {self.group}/cgroup.procs; exec "$@"', "sh", *command]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "listening address=" in line:
                self.address = line.split("address=")[1].split()[0]
                break
        threading.Thread(target=lambda: collections.deque(self.process.stderr, 0), daemon=True).start()

    def ask(self, path, body=None):
        """The status of an answer; 0 where there is none."""
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"http://{self.address}{path}", data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return answer.status, json.loads(answer.read()) if "thumbnail" not in path else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        except OSError as error:
            return 0, str(error)

    def memory_mib(self, name):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
        return None

    def stop(self):
        self.process.terminate()
        self.process.wait()
        if self.group:
            self.group.rmdir()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pixdex")
    parser.add_argument("--budget", type=int, default=512)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--folder", type=pathlib.Path)
    arguments = parser.parse_args()
    folder = arguments.folder or pathlib.Path(tempfile.mkdtemp())
    (folder / "pictures").mkdir(parents=True)
    contents = write_pictures(folder / "pictures", arguments.budget or arguments.limit // 2)
    daemon = Daemon(arguments, folder)
    idle = daemon.memory_mib("VmRSS")
    while True:
        _, status = daemon.ask("/api/v1/status")
        if status["progress"]["waiting"] == 0 and status["images"] >= 24:
            break
        assert daemon.process.poll() is None, "the daemon has ended"
        time.sleep(0.2)
    indexed = daemon.memory_mib("VmHWM")
    _, listed = daemon.ask("/api/v1/images?limit=1000")
    images = [image["id"] for image in listed["items"]]
    uploads = [{"terms": [{"upload": base64.b64encode(contents[at % len(contents)]).decode()}]} for at in range(AT_ONCE)]
    thumbnails = [f"/api/v1/images/{images[at % len(images)]}/thumbnail?size={(160, 320, 640)[at % 3]}" for at in range(AT_ONCE)]
    with concurrent.futures.ThreadPoolExecutor(2 * AT_ONCE) as pool:
        answers = [pool.submit(daemon.ask, "/api/v1/search", upload) for upload in uploads]
        answers += [pool.submit(daemon.ask, thumbnail) for thumbnail in thumbnails]
        statuses = collections.Counter(answer.result()[0] for answer in answers)
    peak = daemon.memory_mib("VmHWM")
    alive = daemon.process.poll() is None and daemon.ask("/health/ready")[0] == 200
    budget = status["decoding"]["memory_bytes"] / (1 << 20)
    print(f"files     {status['files']}")
    print(f"answers   {dict(statuses)}")
    print(f"budget    {budget:.0f} MiB")
    print(f"resident  {idle:.0f} MiB idle, {indexed:.0f} after indexing, {peak:.0f} MiB at most")
    daemon.stop()
    assert alive, "the daemon has ended"
    assert peak <= budget + 300, "more than the budget and 300 MiB"


if __name__ == "__main__":
    main()
