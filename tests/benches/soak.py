"""What a daemon takes that runs for long while everything changes: memory, threads, descriptors and disk, at the start and at the end.

    python tests/benches/soak.py PIXDEX [--minutes N] [--pictures N]

PIXDEX is the program. Pictures come, change, move and go at random around a number that stays the same; label files and decisions
change, and searches, thumbnails, uploads and rescans are asked for all the while. What is deleted is purged each minute. The first
tenth of the time is for everything to come up; what is printed then and at the end should differ by no more than the noise of the lines
in between.
"""

import argparse
import base64
import json
import os
import pathlib
import random
import shutil
import tempfile
import time
import urllib.error

from under_load import SET, WORDS, Daemon, draw


def taken(daemon, folder):
    process = pathlib.Path(f"/proc/{daemon.process.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    files = [path for path in (folder / "library").rglob("*") if path.is_file()]
    return {
        "resident_mib": int(status["VmRSS"].split()[0]) // 1024,
        "anonymous_mib": int(status["RssAnon"].split()[0]) // 1024,
        "threads": int(status["Threads"]),
        "descriptors": len(list((process / "fd").iterdir())),
        "library_mib": round(sum(path.stat().st_size for path in files) / (1 << 20), 1),
    }


class Owner:
    """Somebody who does a little of everything."""

    def __init__(self, daemon, folder, drawn_pictures):
        self.daemon, self.folder, self.sources = daemon, folder, drawn_pictures
        self.drawn = random.Random(2)
        self.done = 0

    def new_picture(self):
        # Bytes behind the end of a JPEG are nobody's; they make it another picture.
        content = self.drawn.choice(self.sources).read_bytes()
        return content[:-2] + b"\xff\xfe\x00\x0a" + self.drawn.randbytes(8) + content[-2:]

    def place(self):
        path = self.folder / "pictures" / self.drawn.choice("abc") / f"{self.drawn.randrange(10_000)}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def any_picture(self):
        return self.drawn.choice(list((self.folder / "pictures").rglob("*.jpg")))

    def act(self, pictures):
        count = sum(1 for _ in (self.folder / "pictures").rglob("*.jpg"))
        if count < pictures:
            self.place().write_bytes(self.new_picture())
        else:
            self.drawn.choice([self.remove, self.replace, self.move, self.ask, self.ask, self.ask, self.label])()
        self.done += 1

    def remove(self):
        for _ in range(5):
            self.any_picture().unlink()

    def replace(self):
        self.any_picture().write_bytes(self.new_picture())

    def move(self):
        self.any_picture().rename(self.place())

    def label(self):
        text = SET.format(threshold=self.drawn.uniform(0.3, 0.7))
        (self.folder / "labels/set.toml").write_text(text)

    def ask(self):
        text = "+".join(self.drawn.sample(WORDS, 2))
        items = self.daemon.ask(f"search?q={text}&limit=20&strictness=0")["items"]
        if not items:
            return
        image = self.drawn.choice(items)["id"]
        what = self.drawn.randrange(4)
        try:
            if what == 0:
                self.daemon.read(f"images/{image}/thumbnail?size=320")
            elif what == 1:
                body = json.dumps({"decision": self.drawn.choice(["confirmed", "rejected"])}).encode()
                self.daemon.ask(f"images/{image}/decisions/set/{self.drawn.choice(WORDS)}", "PUT", body)
            elif what == 2:
                body = {"terms": [{"upload": base64.b64encode(self.new_picture()).decode()}]}
                self.daemon.ask("search", "POST", json.dumps(body).encode())
            else:
                self.daemon.ask("rescan", "POST", b"")
        except urllib.error.HTTPError as error:
            # It may have gone between the two.
            assert error.code == 404, (what, error.code, error.read())


def run(arguments, folder):
    (folder / "labels").mkdir()
    (folder / "labels/set.toml").write_text(SET.format(threshold=0.5))
    draw(folder / "drawn", 24)
    (folder / "pictures").mkdir()
    (folder / "pictures/first.jpg").write_bytes((folder / "drawn/0.jpg").read_bytes())
    daemon = Daemon(arguments.pixdex, folder, "bundled", ("PIXDEX_INGEST__SETTLE_MS", "200"), ("PIXDEX_KEEP_DELETED_DAYS", "0"))
    owner = Owner(daemon, folder, sorted((folder / "drawn").iterdir()))
    start, lines = time.monotonic(), []
    whole_s = arguments.minutes * 60
    while time.monotonic() < start + whole_s:
        minute = time.monotonic() + whole_s / 30
        while time.monotonic() < minute:
            owner.act(arguments.pictures)
            time.sleep(0.02)
        daemon.ask("purge", "POST", b'{"older_than_days": 0}')
        lines.append({"minutes": round((time.monotonic() - start) / 60, 1), "acts": owner.done} | taken(daemon, folder))
        print(json.dumps(lines[-1]), flush=True)
    print("start", lines[len(lines) // 10])
    print("end  ", lines[-1])
    status = daemon.ask("status")
    print("status", status["files"], status["progress"], status["waiting"])
    daemon.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pixdex", type=os.path.abspath)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--pictures", type=int, default=300)
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pixdex-soak-"))
    try:
        run(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
