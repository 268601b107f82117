"""A page of another site, in a real browser, tries to learn of a library and to change it: it must get nothing.

    python tests/interface/attack.py PIXDEX

PIXDEX is the program; the packages are those of requirements.txt, and the browser is the system's Chromium. The demo is attacked, whose
library goes with it. The browser finds evil.example at the attacker's server, and rebound.example, as after a re-bound name, at
pixdex itself.
"""

import json
import re
import shutil
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from demo import Demo

# A picture's name may be this: on the page it must stay a name.
NAME = "<img src=x onerror=window.pwned=1>.jpg"

# Each tries something and says what it got: nothing, or what it should not have.
ATTACKS = {
    "shows a picture that it knows": """([target, id]) => new Promise((done) => {
        const image = new Image();
        image.onload = () => done("it is there");
        image.onerror = () => done(null);
        image.src = `${target}/api/v1/images/${id}/thumbnail`;
    })""",
    "reads tags": "([target]) => fetch(`${target}/api/v1/tags`).then((answer) => answer.text(), () => null)",
    "reads tags with cookies": """([target]) => fetch(`${target}/api/v1/tags`, { credentials: "include" })
        .then((answer) => answer.text(), () => null)""",
    "listens to events": """([target]) => new Promise((done) => {
        const events = new EventSource(`${target}/api/v1/events`);
        events.onopen = () => done("it listens");
        events.onerror = () => { events.close(); done(null); };
    })""",
    "runs an answer as a script": """([target, id, file]) => new Promise((done) => {
        const script = document.createElement("script");
        script.onload = () => done("it ran");
        script.onerror = () => done(null);
        script.src = `${target}${file}main.js`;
        document.head.append(script);
    })""",
    "takes its style": """([target, id, file]) => new Promise((done) => {
        const style = document.createElement("link");
        style.rel = "stylesheet";
        style.onload = () => done("it has it");
        style.onerror = () => done(null);
        style.href = `${target}${file}base.css`;
        document.head.append(style);
    })""",
    "puts a label set": """([target]) => fetch(`${target}/api/v1/label-sets/evil`, { method: "PUT", body: "[[labels]]\\nname = 'evil'" })
        .then((answer) => answer.status, () => null)""",
    "gives itself a token": """([target]) => fetch(`${target}/api/v1/tokens`, { method: "POST",
        body: JSON.stringify({ name: "evil", scope: "admin" }) }).then((answer) => answer.text(), () => null)""",
}

# These get no answer to look at: what they did is looked at in the library afterwards.
BLIND = """([target, id]) => {
    const decision = JSON.stringify({ image: id, set: "things", label: "evil", decision: "confirmed" });
    navigator.sendBeacon(`${target}/api/v1/decisions/import`, decision);
    fetch(`${target}/api/v1/decisions/import`, { method: "POST", mode: "no-cors", body: decision });
    fetch(`${target}/api/v1/tokens`, { method: "POST", mode: "no-cors", body: JSON.stringify({ name: "evil", scope: "admin" }) });
    for (const [path, body] of [["tokens", '{"name": "evil", "scope": "admin", "x'], ["decisions/import", decision]]) {
        const form = Object.assign(document.createElement("form"), {
            method: "post", enctype: "text/plain", action: `${target}/api/v1/${path}`, target: "sink" });
        const field = Object.assign(document.createElement("input"), { name: body, value: '"}' });
        form.append(field);
        document.body.append(form);
        form.submit();
    }
}"""

# A text that came into the page would be refused wherever it could run.
WAYS_IN = [
    f"() => {{ try {{ {way} }} catch (error) {{ return error.name; }} }}"
    for way in [
        "document.body.insertAdjacentHTML('beforeend', '<img src=y onerror=\"window.pwned=1\">')",
        "document.createElement('div').innerHTML = '<img src=y onerror=\"window.pwned=1\">'",
        "document.body.append(Object.assign(document.createElement('script'), { text: 'window.pwned=1' }))",
        "document.body.setAttribute('onclick', 'window.pwned=1'); document.body.click()",
    ]
]

FRAME = """(target) => {
    const frame = Object.assign(document.createElement("iframe"), { src: target, name: "page" });
    document.body.append(frame);
}"""

EVIL = b"<!doctype html><title>evil</title><iframe name=sink></iframe>"


class Evil(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(EVIL)

    def log_message(self, *_):
        pass


def ask(target: str, path: str):
    with urllib.request.urlopen(f"{target}/api/v1/{path}") as answer:
        return json.load(answer)


def from_elsewhere(page: Page, evil: str, target: str, image: str):
    with urllib.request.urlopen(target) as answer:
        file = re.search(r"/ui/\w+/", answer.read().decode())[0]
    page.goto(evil)
    for name, attack in ATTACKS.items():
        got = page.evaluate(attack, [target, image, file])
        assert got is None, f"a page elsewhere {name}: {got}"
    page.evaluate(BLIND, [target, image])
    page.evaluate(FRAME, target)
    page.wait_for_load_state("networkidle")
    framed = [frame.url for frame in page.frames if frame.name == "page"]
    assert framed and not framed[0].startswith("http"), f"the page can be framed: {framed}"
    decisions = ask(target, "decisions")["decisions"]
    tokens = ask(target, "tokens")["tokens"]
    sets = ask(target, "label-sets")["label_sets"]
    assert not decisions and not tokens and "evil" not in sets, (decisions, tokens, list(sets))


def by_a_name_that_was_rebound(page: Page, target: str):
    port = target.rsplit(":", 1)[1]
    for path in ["/", "/api/v1/tags"]:
        answer = page.goto(f"http://rebound.example:{port}{path}")
        assert answer.status == 403, f"{path} is answered under a name that is not pixdex's: {answer.status}"


def by_a_name_of_a_picture(page: Page, target: str, pictures: Path):
    first = next(path for path in pictures.rglob("*.jpg") if path.name != "broken.jpg")
    with open(pictures / NAME, "wb") as copy:
        # Other bytes, so that it is another picture.
        copy.write(first.read_bytes() + b"\0")
    deadline = time.monotonic() + 60
    while not any(item["path"].endswith(NAME) for item in ask(target, "images?limit=3")["items"]):
        assert time.monotonic() < deadline, "the picture is not found"
        time.sleep(0.1)
    # As a copy it has the date of another, and would be far down by that.
    page.goto(f"{target}/?order=-added")
    page.locator(".tile a[href] img[alt^='<img']").click()
    page.wait_for_selector("dialog[open] .facts h2")
    assert page.evaluate("window.pwned") is None, "a picture's name is run as a script"
    for way in WAYS_IN:
        assert page.evaluate(way) == "TypeError", f"the page takes a text for markup or script: {way}"
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.pwned") is None, "the page runs scripts that stand in it"


def main():
    evil_server = HTTPServer(("127.0.0.1", 0), Evil)
    threading.Thread(target=evil_server.serve_forever, daemon=True).start()
    evil = f"http://evil.example:{evil_server.server_port}/"
    chromium = shutil.which("chromium") or sys.exit("there is no Chromium: apt-get install chromium")
    with Demo(sys.argv[1]) as demo, sync_playwright() as playwright:
        image = ask(demo.address, "images?limit=1")["items"][0]["id"]
        names = "MAP evil.example 127.0.0.1, MAP rebound.example 127.0.0.1"
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", f"--host-resolver-rules={names}"]
        )
        page = browser.new_page()
        by_a_name_that_was_rebound(page, demo.address)
        from_elsewhere(page, evil, demo.address, image)
        by_a_name_of_a_picture(page, demo.address, demo.pictures)
        browser.close()
    print(f"{len(ATTACKS)} attacks that look, 5 that do not, a frame, a re-bound name and a picture's name: nothing was got")


if __name__ == "__main__":
    main()
