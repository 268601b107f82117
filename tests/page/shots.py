"""Pictures of every view, in three widths and both schemes, to look at.

    python tests/page/shots.py PIXDEX FOLDER
"""

import shutil
import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent.parent / "interface")]

from playwright.sync_api import sync_playwright
from test_reach import VIEWS

from demo import Demo

WIDTHS = {390: 844, 1366: 850, 3840: 2160}


def main(pixdex: str, folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    with Demo(pixdex) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for width, height in WIDTHS.items():
            for scheme in ["light", "dark"]:
                window = {"viewport": {"width": width, "height": height}, "color_scheme": scheme, "locale": "en-US"}
                page = browser.new_page(**window)
                page.goto(f"{demo.address}/?q=house")
                id = page.locator(".tile a").first.get_attribute("data-id")
                for view, (path, there) in VIEWS.items():
                    page.goto(demo.address + path.format(id=id))
                    page.locator(there).first.wait_for()
                    page.wait_for_load_state("networkidle")
                    page.screenshot(path=folder / f"{view}-{width}-{scheme}.png")
                page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
