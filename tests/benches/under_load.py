"""How long searches take while everything else happens.

    python tests/benches/under_load.py PIXDEX [--model NAME] [--pictures N] [--vectors N] [--clients N] [--rate PER_CLIENT]

PIXDEX is the program. 64 clients each ask for a text of their own some five times a second, while nothing else is done, and then while
the daemon builds an index of two thirds of N random vectors and then one of all of them, makes a first index of N drawn pictures,
scores the library again for a label set that changes, is backed up, purges what was deleted, and embeds all pictures with another
model. Printed are p50 and p99 of each, and p99 as a multiple of that of the quiet library in the same run, before the first index and
after it. The clients run with a better priority than the daemon where they may: what they wait for is the daemon and not themselves.
Needs Pillow and NumPy.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request

import numpy
from PIL import Image, ImageDraw

WORDS = "red green blue house tree cloud boat night two small large round star car flower bird road snow sun hill".split()
SET = "threshold = {threshold}\n" + "".join(f"[[labels]]\nname = '{word}'\n" for word in WORDS)
# The shortest time over which a state is measured.
SHORTEST_S = 8


class Clients:
    """Ask all the time; what each answer took is kept with the moment of its end."""

    def __init__(self, address, clients, rate):
        self.host, self.port = address.rsplit(":", 1)
        self.took, self.failed, self.over = [], 0, False
        self.thread = threading.Thread(target=lambda: asyncio.run(self.ask_all(clients, rate)), daemon=True)
        self.thread.start()

    async def ask_all(self, clients, rate):
        with contextlib.suppress(PermissionError):
            os.nice(-10)
        await asyncio.gather(*(self.ask(random.Random(seed), rate) for seed in range(clients)))

    async def ask(self, drawn, rate):
        await asyncio.sleep(drawn.random() / rate)
        reader, writer = await asyncio.open_connection(self.host, int(self.port))
        while not self.over:
            text = "+".join(drawn.sample(WORDS, 3))
            start = time.monotonic()
            head = f"GET /api/v1/search?q={text}&limit=20 HTTP/1.1\r\nhost: {self.host}:{self.port}\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            end = time.monotonic()
            if answer.startswith(b"HTTP/1.1 200"):
                self.took.append((end, end - start))
            else:
                self.failed += 1
            await asyncio.sleep(max(0, drawn.uniform(0.5, 1.5) / rate - (end - start)))
        writer.close()

    def between(self, start, end):
        return sorted(took * 1000 for at, took in list(self.took) if start <= at <= end)

    def end(self):
        self.over = True
        self.thread.join()


class Daemon:
    def __init__(self, pixdex, folder, model, *environment):
        self.base = [pixdex, "--data-dir", str(folder / "library"), "--labels", str(folder / "labels"), "--model", str(model)]
        # Room for those who measure beside the clients.
        self.environment = os.environ | {"PIXDEX_HTTP__MAX_REQUESTS": "128"} | dict(environment)
        serve = [*self.command("serve"), "--listen", "127.0.0.1:0", str(folder / "pictures")]
        self.process = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True, env=self.environment)
        for line in self.process.stderr:
            if "listening address=" in line:
                self.address = line.split("address=")[1].split()[0]
                break
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()

    def command(self, *arguments):
        program, *flags = self.base
        return [program, *arguments, *flags]

    def read(self, path, method="GET", body=None):
        request = urllib.request.Request(f"http://{self.address}/api/v1/{path}", body, method=method)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.read()

    def ask(self, path, method="GET", body=None):
        return json.loads(self.read(path, method, body))

    def wait(self, is_so):
        while not is_so(self.ask("status")):
            time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def draw(folder, count):
    drawn = random.Random(1)
    folder.mkdir()
    for number in range(count):
        picture = Image.new("RGB", (1600, 1200), tuple(drawn.randbytes(3)))
        brush = ImageDraw.Draw(picture)
        for _ in range(40):
            x, y = drawn.randrange(1600), drawn.randrange(1200)
            brush.ellipse((x, y, x + drawn.randrange(20, 600), y + drawn.randrange(20, 600)), fill=tuple(drawn.randbytes(3)))
        picture.save(folder / f"{number}.jpg", quality=90)


def add_vectors(library, first, count):
    """Images in a folder of an earlier run, which nobody looks at any more."""
    database = sqlite3.connect(library / "library.db")
    database.execute("PRAGMA foreign_keys = off")
    fingerprint = database.execute("SELECT value FROM facts WHERE name = 'model fingerprint'").fetchone()[0]
    model, vector = database.execute(
        "SELECT model_id, vector FROM embeddings JOIN models m ON m.id = model_id WHERE fingerprint = ? LIMIT 1", [fingerprint]).fetchone()
    dim = len(vector) // 4
    root = database.execute("INSERT INTO roots (path, state, unnamed_since) VALUES (?, 'online', '2026-01-01T00:00:00Z')",
                            [f"/of-an-earlier-run-{first}".encode()]).lastrowid
    drawn = numpy.random.default_rng(first)
    for begin in range(first, first + count, 10_000):
        vectors = drawn.standard_normal((min(10_000, first + count - begin), dim)).astype("<f4")
        vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
        for at, row in enumerate(vectors, begin):
            image = database.execute(
                "INSERT INTO images (hash, format, size_bytes, width, height) VALUES (?, 'jpeg', 1, 1, 1)",
                [hashlib.sha256(struct.pack("<q", at)).digest()]).lastrowid
            path = f"/of-an-earlier-run-{first}/{at // 1000}/{at}.jpg"
            database.execute(
                "INSERT INTO files (root_id, path, name, size_bytes, modified_ns, inode, state, image_id)"
                " VALUES (?, ?, ?, 1, 1, 1, 'indexed', ?)", [root, path.encode(), f"{at}.jpg", image])
            database.execute("INSERT INTO embeddings (model_id, image_id, vector) VALUES (?, ?, ?)", [model, image, row.tobytes()])
    database.commit()
    database.close()


def other_model(pixdex_sources, folder):
    """The bundled model whose embeddings have their numbers in another order."""
    shutil.copytree(pixdex_sources / "src/model/bundled", folder, ignore=shutil.ignore_patterns("training"))
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    (header_bytes,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + header_bytes])
    for name in ("visual_projection.weight", "text_projection.weight"):
        start, end = (8 + header_bytes + offset for offset in header[name]["data_offsets"])
        rows = header[name]["shape"][0]
        content[start:end] = numpy.frombuffer(content[start:end], numpy.uint8).reshape(rows, -1)[::-1].tobytes()
    path.write_bytes(content)
    return folder


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pixdex-load-"))
        self.results = {}

    def daemon(self, model=None):
        daemon = Daemon(self.arguments.pixdex, self.folder, model or self.arguments.model)
        self.clients = Clients(daemon.address, self.arguments.clients, self.arguments.rate)
        return daemon

    def measure(self, name, work):
        """Work is done once, or again and again until it has been long enough."""
        start = time.monotonic()
        while time.monotonic() < start + SHORTEST_S:
            if work() == "once":
                break
        took = self.clients.between(start, time.monotonic())
        assert took, name
        at = {"answers": len(took), "p50_ms": took[len(took) // 2], "p99_ms": took[len(took) * 99 // 100]}
        self.results[name] = at | {"seconds": time.monotonic() - start}
        print(name, json.dumps({key: round(value, 1) for key, value in self.results[name].items()}), flush=True)

    def end(self, daemon):
        self.clients.end()
        assert self.clients.failed == 0, f"{self.clients.failed} searches failed"
        daemon.stop()

    def run(self):
        pictures = self.folder / "pictures"
        (self.folder / "labels").mkdir()
        (self.folder / "labels/set.toml").write_text(SET.format(threshold=0.5))
        print("drawing", flush=True)
        draw(self.folder / "drawn", self.arguments.pictures)
        pictures.mkdir()
        (self.folder / "drawn/0.jpg").rename(pictures / "0.jpg")
        daemon = self.daemon()
        daemon.wait(lambda status: status["images"] == 1)
        self.end(daemon)
        for name, first, count in self.builds():
            add_vectors(self.folder / "library", first, count)
            daemon = self.daemon()
            self.measure(name, lambda daemon=daemon: self.until(daemon, lambda status: not status["index"]["is_building"]))
            self.end(daemon)
        daemon = self.daemon()
        self.measure("quiet", lambda: time.sleep(SHORTEST_S))

        def first_index():
            (self.folder / "drawn").rename(pictures / "drawn")
            time.sleep(1)
            return self.until(daemon, lambda status: status["images"] == self.arguments.pictures + self.arguments.vectors)
        self.measure("first index", first_index)
        self.measure("quiet, filled", lambda: time.sleep(SHORTEST_S))

        def retag():
            threshold = random.uniform(0.3, 0.7)
            daemon.ask("label-sets/set", "PUT", SET.format(threshold=threshold).encode())
        self.measure("re-tag", retag)

        def backup():
            file = self.folder / f"backup{time.monotonic()}"
            subprocess.run(daemon.command("backup", str(file)), check=True, capture_output=True)
            file.unlink()
        self.measure("backup", backup)
        for picture in list((pictures / "drawn").iterdir())[:self.arguments.pictures // 2]:
            picture.unlink()
        daemon.wait(lambda status: status["files"].get("gone", 0) > 0)
        time.sleep(2)
        self.measure("purge", lambda: daemon.ask("purge", "POST", b'{"older_than_days": 0}') and "once")
        self.end(daemon)
        if self.arguments.model == "bundled":
            other = other_model(pathlib.Path(__file__).parents[2], self.folder / "other")
            daemon = self.daemon(other)
            self.measure("another model", lambda: self.until(daemon, lambda status: "next" not in status["model"]))
            self.end(daemon)
        quiet = self.results["quiet"]["p99_ms"]
        for name, result in self.results.items():
            # From then on hits are pictures with tags, which take longer to tell.
            quiet = result["p99_ms"] if name == "quiet, filled" else quiet
            print(f"{name:15} p50 {result['p50_ms']:6.1f} ms  p99 {result['p99_ms']:6.1f} ms  {result['p99_ms'] / quiet:4.1f} x")
        shutil.rmtree(self.folder)

    def builds(self):
        """Without an index every search is a scan; with one, of what is newer than it only."""
        first = self.arguments.vectors * 2 // 3
        return [("first build", 0, first), ("next build", first, self.arguments.vectors - first)]

    def until(self, daemon, is_so):
        daemon.wait(is_so)
        return "once"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pixdex")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--pictures", type=int, default=1500)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rate", type=float, default=5)
    Bench(parser.parse_args()).run()


if __name__ == "__main__":
    main()
