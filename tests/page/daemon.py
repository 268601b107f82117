"""pixdex over folders of the test's own, which can be killed and started again."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Error

WITHIN_S = 20


def wait_for(what: str, is_so):
    """Asks until it is so; what never comes fails the test by name."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.05)
    raise AssertionError(f"this never came: {what}")


def until(page, expression: str):
    """The same for an expression in a page, which lets no texts be run as scripts, and so cannot wait by itself."""

    def is_so():
        page.wait_for_timeout(20)
        try:
            return page.evaluate(expression)
        except Error:
            # What it asks about is not drawn at this moment.
            return False

    wait_for(expression, is_so)


class Daemon:
    def __init__(self, pixdex: str, pictures: Path, library: Path):
        self.pixdex, self.pictures, self.library = pixdex, pictures, library
        self.labels = library / "labels"
        self.listen = "127.0.0.1:0"
        self.start()

    def start(self):
        arguments = [self.pixdex, "serve", self.pictures, "--data-dir", self.library, "--model", "bundled", "--listen", self.listen]
        # Into a file: whoever writes into a pipe that nobody reads waits.
        log = self.library.with_name("log")
        with open(log, "w") as into:
            environment = os.environ | {"PIXDEX_LOG": "info", "PIXDEX_INGEST__SETTLE_MS": "200"}
            self.process = subprocess.Popen(arguments, stderr=into, env=environment)
        found = wait_for("an address", lambda: re.search(r"127\.0\.0\.1:(\d+)", log.read_text()))
        self.listen = f"127.0.0.1:{found[1]}"
        self.address = f"http://{self.listen}"
        wait_for("an answer", self.is_there)

    def is_there(self):
        try:
            with urllib.request.urlopen(f"{self.address}/health/live", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def ask(self, path: str, method: str = "GET", body=None):
        data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = "application/toml" if isinstance(body, str) else "application/json"
        request = urllib.request.Request(f"{self.address}/api/v1/{path}", data, {"content-type": kind}, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def wait_until_read(self, images: int):
        def is_read():
            status = self.ask("status")
            return status["images"] == images and not status["progress"]["queued"]

        wait_for(f"{images} images", is_read)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)
