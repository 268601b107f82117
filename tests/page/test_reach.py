"""Whoever looks, and whatever with: axe finds nothing, in any view and colours; and the trees that are read aloud."""

import re
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
TREES = Path(__file__).parent / "trees"

# Each view with what is there once it is drawn.
VIEWS = {
    "pictures": ("/", ".tile img"),
    "search": ("/?q=red+house+-tag:scenes/night", ".tile img"),
    "mistake": ("/?q=%22open", "[role=alert]"),
    "image": ("/image/{id}?q=house", ".labels .says"),
    "labels": ("/labels", ".cards li"),
    "editor": ("/labels/things", ".near img"),
    "review": ("/review/things/house", "figure img"),
    "duplicates": ("/duplicates?similarity=0.9", ".summary"),
    "map": ("/map", ".cell"),
    "library": ("/library", ".library li"),
}

WINDOWS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "forced": {"forced_colors": "active"},
    "phone": {"viewport": {"width": 390, "height": 800}, "has_touch": True},
    # Twice as large, as half as wide.
    "zoomed": {"viewport": {"width": 683, "height": 425}, "device_scale_factor": 2},
}


def show(open_page, demo, view: str, **window) -> Page:
    path, there = VIEWS[view]
    if "{id}" in path:
        page = open_page(f"{demo.address}/?q=house", **window)
        path = path.format(id=page.locator(".tile a").first.get_attribute("data-id"))
        page.goto(demo.address + path)
    else:
        page = open_page(demo.address + path, **window)
    expect(page.locator(there).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    return page


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(demo, open_page, view, window):
    page = show(open_page, demo, view, **WINDOWS[window])
    # The page lets no script in; axe is put in by the browser itself.
    page.evaluate(AXE)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    told = [(one["id"], one["help"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found]
    assert not told, told


@pytest.mark.parametrize("view", ["search", "image", "labels", "review", "map", "library"])
def test_what_is_read_aloud(demo, open_page, view, request):
    page = show(open_page, demo, view)
    tree = page.locator("#viewer" if view == "image" else "body").aria_snapshot()
    # The demo's folder has a name of its own on each run, and so have identities and sizes of memory.
    tree = normal(tree)
    kept = TREES / f"{view}.txt"
    if request.config.getoption("--keep-trees"):
        kept.write_text(tree + "\n")
    assert tree + "\n" == kept.read_text(), "the tree has changed: look at it, and run with --keep-trees"


def normal(tree: str) -> str:
    tree = re.sub(r"pixdex-demo-\w+", "pixdex-demo", tree)
    tree = re.sub(r"/url: .*", "/url: …", tree)
    tree = re.sub(r"\b\d+([.,]\d+)? (k|M|G)?B\b", "… B", tree)
    return re.sub(r"\b[0-9a-f]{12}\b", "…", tree)
