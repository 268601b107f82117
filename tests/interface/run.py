"""Asks a real daemon for whatever its own document allows, and for much that it does not: it must never fail, and answer nothing
that the document does not say.

    python tests/interface/run.py PIXDEX [SCHEMATHESIS OPTION ...]

PIXDEX is the program; the packages are those of requirements.txt. The demo is asked, whose library goes with it. What is asked for is
made by Schemathesis: the examples of the document, then the edges of every field, then anything at random, then chains along its
links. Whether all that is wrong is refused is not looked at: forms send empty fields for what nobody filled in, and serde takes a
list for a struct.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from demo import Demo

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
]


def main() -> int:
    pixdex, options = sys.argv[1], sys.argv[2:]
    here = Path(__file__).parent.absolute()
    # It keeps what it learns where it runs.
    with Demo(pixdex) as demo, tempfile.TemporaryDirectory() as folder:
        # A stream of events never ends, and is read by tests of its own.
        asked = subprocess.run(
            [
                Path(sys.executable).parent.absolute() / "st",
                "run",
                f"{demo.address}/api/v1/openapi.json",
                "--checks",
                ",".join(CHECKS),
                "--exclude-path",
                "/api/v1/events",
                "--max-redirects",
                "0",
                "--max-examples",
                "25",
                # Python 3.11 counts how deep a syntax tree is for all threads together (python/cpython#106905), and Hypothesis reads
                # sources in each of them.
                "--workers",
                "1",
                # The same requests every time: what a change brings is then seen with that change.
                "--seed",
                "1",
                "--continue-on-failure",
                "--no-color",
                *options,
            ],
            cwd=folder,
            env=os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(here)},
        )
    return asked.returncode


if __name__ == "__main__":
    sys.exit(main())
