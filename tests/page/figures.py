"""How fast the page is on a large library, and how much of it there is.

    python tests/page/figures.py PIXDEX PICTURES [--images 20000] [--library FOLDER]

PICTURES is a folder of pictures, of which as many are made as are asked for: each with bytes of its own. With --library, that folder keeps
them and what was indexed for the next time. Frames are those of Chromium's software renderer where there is no card.
"""

import argparse
import itertools
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from daemon import Daemon, until
from playwright.sync_api import sync_playwright

QUERIES = ["house", "a red star", "boat", "night sky", "umbrella", "a cat", "sea", "flower", "green tree", "moon", "fish", "sun", "balloon", "car"]
FRAMES = """(distance) => new Promise((done) => {
    const frames = [];
    let last = performance.now();
    const step = (now) => {
        frames.push(now - last);
        last = now;
        scrollBy(0, distance);
        if (frames.length < 240) requestAnimationFrame(step); else done(frames.slice(5));
    };
    requestAnimationFrame(step);
})"""
SHIFT = """() => { window.shift = 0; new PerformanceObserver((list) => list.getEntries().filter((entry) => !entry.hadRecentInput)
    .forEach((entry) => { window.shift += entry.value; })).observe({ type: "layout-shift", buffered: true }); }"""


def p95(values):
    return sorted(values)[max(0, round(len(values) * 0.95) - 1)]


def made(pictures: Path, count: int, into: Path):
    into.mkdir(parents=True, exist_ok=True)
    sources = sorted(path for path in pictures.rglob("*.jpg") if path.stat().st_size > 1000)
    for number, path in zip(range(count), itertools.cycle(sources), strict=False):
        place = into / f"{number // 1000:03}" / f"{number:06}.jpg"
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(path.read_bytes() + number.to_bytes(4, "big"))


def tell(name: str, figure):
    """As soon as it is known: what follows may take long."""
    print(f"{name:70} {figure:10.3f}" if isinstance(figure, float) else f"{name:70} {figure:10}", flush=True)


def measure(page, daemon):
    responses = []

    def keep(response):
        responses.append(response)

    page.on("response", keep)
    page.add_init_script(f"({SHIFT})()")
    cold = []
    for _ in range(5):
        page.goto(daemon.address)
        until(page, "[...document.querySelectorAll('.tile.loaded')].length > 4")
        cold.append(page.evaluate("Math.min(...[...performance.getEntriesByType('resource')].filter(one => one.name.includes('thumbnail')).map(one => one.responseEnd))"))
    page.wait_for_load_state("networkidle")
    page.remove_listener("response", keep)
    # Each once: what a browser keeps is not sent again. The stream of events has no end, and so no size.
    ended = [one for one in reversed(responses) if one.ok and not one.url.endswith("/events")]
    sizes = {one.url: one.request.sizes()["responseBodySize"] for one in ended}
    is_page = re.compile(r"/(ui/.*)?$")
    tell("page, compressed (kB, goal 60)", sum(size for url, size in sizes.items() if is_page.search(url)) / 1000)
    tell("first view (kB, goal 400)", sum(sizes.values()) / 1000)
    tell("first picture (ms, goal 300)", statistics.median(cold))
    tell("layout shift on load (goal 0.01)", page.evaluate("window.shift"))
    tell("tiles in the document (goal 400)", page.locator(".tile").count())
    tell("Tabs from the box to a picture (goal 5)", tabs(page))
    tell("keystroke to results after the pause, p95 (ms, goal 100)", typed(page))
    page.goto(daemon.address)
    until(page, "document.querySelectorAll('.tile.loaded').length > 4")
    for name, distance in [("slow", 40), ("fast", 240)]:
        frames = page.evaluate(FRAMES, distance)
        tell(f"frames, {name} scrolling, p95 (ms, goal 17)", p95(frames))
        tell(f"frames, {name} scrolling, longest (ms, goal 50)", max(frames))
    tell("tiles after scrolling (goal 400)", page.locator(".tile").count())
    tell("decision to paint (ms, goal 100)", decided(page, daemon))
    for name, figure in dragged(page, daemon).items():
        tell(name, figure)
    page.goto(daemon.address)
    until(page, "document.querySelectorAll('.tile.loaded').length > 4")
    page.wait_for_load_state("networkidle")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(10_000)
    tell("requests in 10 s of nothing (goal 0)", len(asked))


def tabs(page) -> int:
    page.keyboard.press("/")
    for count in range(1, 50):
        page.keyboard.press("Tab")
        if page.evaluate("Boolean(document.activeElement.closest('.tile'))"):
            return count
    return 50


def typed(page) -> float:
    """From the last key to the list being drawn, less the pause of 120 ms that the page waits for another key."""
    took = []
    for words in QUERIES:
        page.fill("#query", "")
        page.keyboard.press("Enter")
        until(page, "!location.search.includes('q=')")
        page.wait_for_load_state("networkidle")
        page.locator("#query").focus()
        page.keyboard.type(words[:-1], delay=5)
        page.evaluate(
            """() => { window.drawn = new Promise((done) => { let start; document.querySelector("#query").addEventListener("input", () => { start = performance.now(); }, { once: true });
            const before = document.querySelector(".tile a")?.dataset.id;
            const look = () => { const now = document.querySelector(".tile a")?.dataset.id;
                if (start && now !== before && history.state?.isTyped) done(performance.now() - start); else requestAnimationFrame(look); }; look(); }); }"""
        )
        page.keyboard.type(words[-1])
        took.append(page.evaluate("Promise.race([window.drawn, new Promise((done) => setTimeout(() => done(null), 3000))])"))
    known = [one - 120 for one in took if one is not None]
    return p95(known)


def decided(page, daemon) -> float:
    took = []
    page.goto(daemon.address)
    until(page, "document.querySelectorAll('.tile.loaded').length > 4")
    page.locator(".tile a").first.click()
    for _ in range(10):
        until(page, "document.querySelectorAll('#viewer .labels meter').length > 0")
        took.append(
            page.evaluate(
                """() => new Promise((done) => { const start = performance.now(); const count = () => document.querySelectorAll(".toast, #viewer [aria-pressed=true]").length;
                const before = document.querySelector("#viewer .labels").innerHTML;
                document.querySelector("#viewer .choice button").click();
                const look = () => document.querySelector("#viewer .labels").innerHTML !== before ? requestAnimationFrame(() => done(performance.now() - start)) : requestAnimationFrame(look); look(); })"""
            )
        )
        page.wait_for_load_state("networkidle")
        page.keyboard.press("u")
        page.wait_for_load_state("networkidle")
        page.keyboard.press("ArrowRight")
        page.wait_for_load_state("networkidle")
    return p95(took)


def dragged(page, daemon) -> dict:
    page.goto(f"{daemon.address}/labels/things")
    until(page, "document.querySelector('.editor .histogram') !== null")
    steps = page.evaluate(
        """async () => { const range = document.querySelector(".threshold input"); const took = [];
        for (let at = 1; at <= 100; at += 1) { const start = performance.now(); range.value = at / 100; range.dispatchEvent(new Event("input"));
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done))); took.push(performance.now() - start); } return took; }"""
    )
    text = (daemon.labels / "things.toml").read_text()
    looks = page.evaluate(
        """async (text) => { const took = []; for (let at = 0; at < 10; at += 1) { const start = performance.now();
        await (await fetch("/api/v1/label-sets/things/preview?label=house&near=12", { method: "POST", body: text, headers: { "content-type": "application/toml" } })).json();
        took.push(performance.now() - start); } return took; }""",
        text,
    )
    return {"a step of a dragged threshold, counted and drawn, p95 (ms, goal 50)": p95(steps), "the pictures next to it, once it rests, p95 (ms)": p95(looks)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pixdex")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--library", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.library or Path(temporary)
        made(asked.pictures, asked.images, folder / "pictures")
        pixdex = str(Path(asked.pixdex).absolute())
        subprocess.run([pixdex, "index", "--quiet", folder / "pictures", "--data-dir", folder / "library", "--model", "bundled"], check=True)
        daemon = Daemon(pixdex, folder / "pictures", folder / "library")
        try:
            daemon.wait_until_read(asked.images)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
                page = browser.new_page(viewport={"width": 1366, "height": 850}, locale="en-US")
                measure(page, daemon)
                browser.close()
        finally:
            daemon.stop()


if __name__ == "__main__":
    main()
