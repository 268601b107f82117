"""The real page of the real daemon, in the system's Chromium.

    python -m pytest tests/page --pixdex target/debug/pixdex

The packages are those of requirements.txt.
"""

import shutil
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

sys.path.append(str(Path(__file__).parent.parent / "interface"))

from daemon import Daemon

from demo import Demo


def pytest_addoption(parser):
    parser.addoption("--pixdex", default="target/debug/pixdex", help="the program")
    parser.addoption("--keep-trees", action="store_true", help="keep the trees that are read aloud as they are now")


@pytest.fixture(scope="session")
def pixdex(request) -> str:
    return str(Path(request.config.getoption("--pixdex")).absolute())


@pytest.fixture(scope="session")
def demo(pixdex):
    """Drawn pictures, the same on every run. Whoever changes something about them brings it back."""
    with Demo(pixdex) as demo:
        yield demo


@pytest.fixture(scope="session")
def drawn(demo) -> list[Path]:
    """Pictures to copy from, each unlike the others."""
    pictures = sorted(path for path in demo.pictures.rglob("*.jpg") if path.name != "broken.jpg")
    assert len(pictures) > 80
    return pictures


@pytest.fixture
def daemon(pixdex, drawn, tmp_path):
    """A small library of the test's own: a dozen pictures."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for path in drawn[:12]:
        shutil.copy2(path, pictures / path.name)
    daemon = Daemon(pixdex, pictures, tmp_path / "library")
    daemon.wait_until_read(12)
    yield daemon
    if daemon.process.poll() is None:
        daemon.stop()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Opens pages in windows of any kind. None of them may say anything in its console, or ask another host."""
    contexts, wrong = [], []

    def opened(address: str, is_refused: bool = False, **window):
        context = browser.new_context(**({"viewport": {"width": 1366, "height": 850}, "locale": "en-US"} | window))
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"uncaught: {error}"))
        page.on("request", lambda request: note_host(request.url, address))
        # What the browser itself says of requests that are refused on purpose, or cut off, is no fault of the page.
        page.on("console", lambda said: note(said, is_refused))
        page.goto(address)
        return page

    def note(said, is_refused):
        if said.type == "error" and not (is_refused and "Failed to load resource" in said.text):
            wrong.append(f"{said.type}: {said.text}")

    def note_host(url: str, address: str):
        host = "/".join(address.split("/")[:3])
        if not url.startswith((host, "data:", "blob:")):
            wrong.append(f"asked elsewhere: {url}")

    yield opened
    for context in contexts:
        context.close()
    assert not wrong, wrong
