"""A monkey at the page: keys, clicks, back and forth, while labels and decisions change under it. It must see no error, lose no write,
write nothing that it did not mean to, and never be shown another list than its address says.

    python tests/page/monkey.py PIXDEX [--minutes 5] [--seed 1]
"""

import argparse
import random
import re
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent.parent / "interface")]

import json
import shutil
import urllib.request

from playwright.sync_api import Error, Page, sync_playwright

from demo import Demo

WORDS = ["house", "a red star", "night -sea", "tag:colours/red", "tag:scenes/sea,scenes/sky", '"open', "taken:2022", "boat strictness:20", "-path:2019", ""]
# None of these writes, wherever the focus is not on a button.
KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageDown", "PageUp", "Enter", "Escape", "i", "f", "s", "x", "/", "?", " ", "+", "0"]
# What is clicked on: links and buttons that change what is shown, and nothing else.
SHOWS = """[...document.querySelectorAll("a[href], #rail button, .months button, .step, .controls button, .pick, .chip .drop, select")]
    .filter((one) => one.checkVisibility() && !one.disabled && one.target !== "_blank" && !one.closest("[inert]"))"""


class Monkey:
    def __init__(self, page: Page, address: str, seed: int):
        self.page, self.address, self.random = page, address, random.Random(seed)
        self.wrong: list[str] = []
        self.writes: list[tuple] = []
        # Decisions that it meant, of which nothing came yet.
        self.meant = 0
        self.done = 0
        page.on("pageerror", lambda error: self.wrong.append(f"uncaught: {error}"))
        page.on("console", self.note)
        page.on("response", self.note_write)
        page.on("dialog", lambda dialog: dialog.dismiss())

    def note(self, said):
        if said.type == "error" and "Failed to load resource" not in said.text:
            self.wrong.append(said.text)

    def note_write(self, response):
        request = response.request
        is_asking = re.search(r"/(preview|edit|search|uploads)(\?|$)", request.url)
        if request.method == "GET" or is_asking:
            return
        self.meant -= 1
        if self.meant < 0:
            self.wrong.append(f"wrote without being told to: {request.method} {request.url}")
        found = re.search(r"/images/(\w+)/decisions/([^/]+)/([^/?]+)", request.url)
        if found and response.ok:
            decision = json.loads(request.post_data)["decision"] if request.method == "PUT" else None
            self.writes.append((found.groups(), decision))

    def ask(self, path: str, method="GET", body=None):
        request = urllib.request.Request(f"{self.address}/api/v1/{path}", body, {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def step(self):
        actions = [self.key, self.key, self.click, self.click, self.scroll, self.type, self.go, self.decide, self.disturb]
        action = self.random.choice(actions)
        self.last = action.__name__
        try:
            action()
        except Error as error:
            # What it wanted to click on went meanwhile.
            if not re.search(r"Timeout|detached|not visible|closed|intercepts|outside|context was destroyed|interrupted|ERR_ABORTED", str(error)):
                raise
        self.done += 1

    def key(self):
        # On a button Enter and Space press it.
        if self.page.evaluate("Boolean(document.activeElement?.closest('button, summary'))"):
            self.page.evaluate("document.activeElement.blur()")
        self.page.keyboard.press(self.random.choice(KEYS))

    def click(self):
        count = self.page.evaluate(f"({SHOWS}).length")
        if count:
            at = self.random.randrange(count)
            self.page.evaluate(f"({SHOWS})[{at}]?.dispatchEvent(new MouseEvent('click', {{ bubbles: true, cancelable: true }}))")

    def scroll(self):
        self.page.mouse.wheel(0, self.random.choice([-3000, -400, 300, 900, 5000]))

    def type(self):
        box = self.page.locator("#query")
        if box.is_visible() and not self.page.locator("#viewer").is_visible():
            box.click(timeout=500)
            self.page.keyboard.press("Control+a")
            self.page.keyboard.type(self.random.choice(WORDS), delay=10)
            if self.random.random() < 0.5:
                self.page.keyboard.press("Enter")

    def go(self):
        self.random.choice([self.page.go_back, self.page.go_forward, lambda: self.page.reload(), lambda: self.page.goto(self.address)])()

    def decide(self):
        if self.page.locator("#viewer .labels .says").first.is_visible():
            self.page.evaluate("document.activeElement?.closest('button, input') && document.querySelector('#viewer').focus()")
            self.meant += 1
            self.page.keyboard.press(self.random.choice("ynu"))

    # Somebody else changes something.
    def disturb(self):
        image = self.random.choice(self.ask("images?limit=20")["items"])["id"]
        address = f"images/{image}/decisions/things/umbrella"
        if self.random.random() < 0.5:
            self.ask(address, "PUT", b'{"decision": "confirmed"}')
            self.writes.append(((image, "things", "umbrella"), "confirmed"))
        else:
            self.ask(address, "DELETE")
            self.writes.append(((image, "things", "umbrella"), None))

    # The list that is shown is that of the address, soon after that changed.
    def check_list(self):
        deadline = time.monotonic() + 5
        while wrong := self.differing():
            if time.monotonic() > deadline:
                self.wrong.append(wrong)
                return
            self.page.wait_for_timeout(100)

    def differing(self) -> str | None:
        parts = urlsplit(self.page.url)
        wanted = {name: values[0] for name, values in parse_qs(parts.query).items()}
        q, order = wanted.get("q", ""), wanted.get("order", "-taken")
        parsed = self.ask("parse?" + urlencode({"q": q}))
        # Decisions may have moved what tags filter, which the page says and leaves to its reader.
        if parts.path != "/" or self.page.locator("#viewer").is_visible() or "error" in parsed or "tag:" in q:
            return None
        is_ranked = any(part["kind"] != "filter" for part in parsed["parts"])
        query = {"q": q, "limit": 1000} | ({} if is_ranked else {"order": order})
        found = [item["id"] for item in self.ask(f"{'search' if is_ranked else 'images'}?{urlencode(query)}")["items"]]
        shown = self.page.eval_on_selector_all(".tile", "tiles => tiles.map(tile => [tile.at, tile.item.id])")
        for at, id in shown:
            if found[at : at + 1] != [id]:
                return f"at {at} of {self.page.url} stands {id[:8]}"
        return None

    def check_writes(self):
        last = {}
        for key, decision in self.writes:
            last[key] = decision
        stored = {(one["image"], one["set"], one["label"]): one["decision"] for one in self.ask("decisions")["decisions"]}
        for key, decision in last.items():
            if stored.get(key) != decision:
                self.wrong.append(f"lost: {key} is {stored.get(key)}, not {decision}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pixdex")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with Demo(asked.pixdex) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = browser.new_page(viewport={"width": 1366, "height": 850}, locale="en-US")
        page.set_default_timeout(3000)
        page.goto(demo.address)
        monkey = Monkey(page, demo.address, asked.seed)
        end = time.monotonic() + asked.minutes * 60
        while time.monotonic() < end and not monkey.wrong:
            monkey.step()
            if monkey.done % 10 == 0:
                monkey.check_list()
        page.wait_for_load_state("networkidle")
        monkey.check_writes()
        browser.close()
    print(f"{monkey.done} steps, {len(monkey.writes)} writes, seed {asked.seed}")
    for wrong in monkey.wrong:
        print(f"after {monkey.last} at {page.url}: {wrong}")
    return 1 if monkey.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
