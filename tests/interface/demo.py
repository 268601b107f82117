"""The demo, started for others to ask, with the folder of pictures that it watches."""

import os
import re
import subprocess
import sys
from pathlib import Path


class Demo:
    """Runs while it is entered; `address` and `pictures` are known once all is indexed."""

    def __init__(self, pixdex: str):
        self.process = subprocess.Popen(
            [pixdex, "demo", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PIXDEX_LOG": "error"},
        )

    def __enter__(self):
        for line in self.process.stdout:
            line = line.strip()
            if found := re.match(r"Open +(http://\S+?)/?$", line):
                self.address = found[1]
            if found := re.match(r"Watch +copy a picture into (.+)$", line):
                self.pictures = Path(found[1])
                return self
        sys.exit("the demo ended before it answered")

    def __exit__(self, *_):
        has_ended = self.process.poll() is not None
        self.process.terminate()
        self.process.wait(timeout=60)
        if has_ended:
            sys.exit(f"the demo ended with {self.process.returncode} while it was asked")
