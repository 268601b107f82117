"""Knowing how the library stands, also when something is in the way; and names of any sort."""

import re
import shutil

import pytest
from daemon import wait_for
from playwright.sync_api import expect


def test_a_daemon_that_is_gone_is_told_and_comes_back_by_itself(daemon, drawn, open_page):
    page = open_page(daemon.address, is_refused=True)
    expect(page.locator(".tile")).to_have_count(12)
    daemon.kill()
    expect(page.locator("#notice")).to_contain_text("does not answer")
    expect(page.locator(".dot.away")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(12)
    shutil.copy2(drawn[50], daemon.pictures / "meanwhile.jpg")
    daemon.start()
    expect(page.locator("#notice")).to_be_empty()
    daemon.wait_until_read(13)
    page.fill("#query", "house")
    expect(page.locator(".tools .summary")).to_contain_text("found")


def test_troubles_are_where_one_looks(daemon, open_page):
    page = open_page(daemon.address)
    expect(page.locator(".dot.well")).to_be_visible()
    (daemon.labels / "broken.toml").write_text("[[labels]]\nnme = 3\n")
    expect(page.locator(".dot.warn")).to_contain_text("error in a label file")
    page.locator(".dot").click()
    expect(page.locator(".library .wrong").first).to_contain_text("line 2")
    (daemon.labels / "broken.toml").unlink()
    expect(page.locator(".dot.well")).to_be_visible()
    (daemon.pictures / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    expect(page.locator(".library")).to_contain_text("bad.jpg")
    page.get_by_role("button", name="Read them again").click()
    expect(page.locator(".toast")).to_contain_text("read again")


def test_a_folder_that_is_away_is_told(daemon, open_page):
    page = open_page(daemon.address, is_refused=True)
    expect(page.locator(".dot.well")).to_be_visible()
    aside = daemon.pictures.with_name("aside")
    daemon.pictures.rename(aside)
    daemon.ask("rescan", "POST")
    expect(page.locator(".dot.warn")).to_contain_text("1 folder away")
    page.locator(".dot").click()
    expect(page.locator(".library")).to_contain_text("away: what it holds stays")
    aside.rename(daemon.pictures)
    daemon.ask("rescan", "POST")
    expect(page.locator(".dot.well")).to_be_visible()


def test_an_empty_library_says_what_to_expect(pixdex, tmp_path, open_page):
    from daemon import Daemon

    (tmp_path / "pictures").mkdir()
    daemon = Daemon(pixdex, tmp_path / "pictures", tmp_path / "library")
    try:
        page = open_page(daemon.address)
        expect(page.get_by_role("heading", name="No pictures yet")).to_be_visible()
    finally:
        daemon.stop()


def test_three_searches_that_work_on_this_library(demo, open_page):
    page = open_page(demo.address)
    expect(page.locator(".tile").first).to_be_visible()
    page.locator(".dot").click()
    tips = page.locator(".library p:has-text('Try:') a")
    expect(tips).to_have_count(3)
    tips.first.click()
    expect(page.locator(".tools .summary")).to_contain_text("found")


def test_tokens_are_given_out_and_taken_back(daemon, open_page):
    page = open_page(f"{daemon.address}/library")
    page.fill(".library [name=name]", "tablet")
    page.keyboard.press("Enter")
    expect(page.locator(".library code")).to_contain_text("pixdex_")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove tablet").click()
    wait_for("no token", lambda: page.wait_for_timeout(20) or not daemon.ask("tokens")["tokens"])


def test_nothing_is_asked_while_nothing_happens(daemon, open_page):
    page = open_page(daemon.address)
    expect(page.locator(".tile")).to_have_count(12)
    page.wait_for_load_state("networkidle")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3000)
    assert asked == []


def test_seven_tabs_share_one_stream(daemon, browser, open_page):
    pages = [open_page(daemon.address)]
    context = pages[0].context
    for _ in range(6):
        page = context.new_page()
        page.goto(daemon.address)
        pages.append(page)
    for page in pages:
        expect(page.locator(".tile")).to_have_count(12)
    image = daemon.ask("images?limit=1")["items"][0]["id"]
    daemon.ask(f"images/{image}/decisions/things/umbrella", "PUT", {"decision": "confirmed"})
    for page in pages:
        expect(page.locator(f".tile a[data-id='{image}'] img")).to_have_attribute("alt", re.compile("umbrella"))


NAMES = [
    "<img src=x onerror=window.pwned=1>.jpg",
    "back\\slash.jpg",
    "right \u202e to left.jpg",
    "عربي.jpg",
    "日本の猫 🐈.jpg",
    "a%20b&c=d#e?f.jpg",
    "quote\"and'quote.jpg",
    "x" * 200 + ".jpg",
]


def test_names_of_any_sort_are_only_names(daemon, drawn, open_page):
    for at, name in enumerate(NAMES):
        shutil.copy2(drawn[60 + at], daemon.pictures / name)
    daemon.wait_until_read(12 + len(NAMES))
    page = open_page(daemon.address)
    expect(page.locator(".tile")).to_have_count(12 + len(NAMES))
    for name in NAMES:
        link = page.locator(f".tile img[alt^={quoted(name)}]")
        expect(link).to_have_count(1)
    page.locator(f".tile img[alt^={quoted(NAMES[0])}]").click()
    expect(page.locator(".facts h2 bdi")).to_have_text(NAMES[0])
    page.keyboard.press("Escape")
    page.locator(f".tile img[alt^={quoted(NAMES[1])}]").click()
    expect(page.locator(".facts h2 bdi")).to_have_text(NAMES[1])
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_folder_of_any_name_is_found_by_its_part_of_a_path(daemon, drawn, open_page):
    folder = daemon.pictures / 'a "b", c\\d -e'
    folder.mkdir()
    shutil.copy2(drawn[70], folder / "x.jpg")
    daemon.wait_until_read(13)
    page = open_page(daemon.address)
    page.locator(".tile img[alt^='x.jpg']").click()
    page.locator(".paths a").last.click()
    expect(page.locator(".tools .summary")).to_contain_text("1 picture found")


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_duplicates_stand_side_by_side(daemon, open_page):
    first = next(daemon.pictures.iterdir())
    shutil.copy2(first, daemon.pictures / "copy.jpg")
    page = open_page(f"{daemon.address}/duplicates?by=hash")
    wait_for("a copy", lambda: daemon.ask("duplicates?by=hash")["total"] == 1)
    page.reload()
    expect(page.locator(".group li")).to_have_count(2)
    expect(page.locator(".group")).to_contain_text("the same to the byte")


def test_places_lead_to_their_pictures(demo, open_page):
    page = open_page(f"{demo.address}/map")
    expect(page.locator(".world .cell").first).to_be_visible()
    page.get_by_role("button", name="Closer").click()
    expect(page).to_have_url(re.compile("zoom=2"))
    count = page.locator(".strip small").first.inner_text()
    page.locator(".strip a").first.click()
    expect(page.locator(".tools .summary")).to_contain_text(f"{count} picture")
    # A cell of the drawing is a link as any other: the page is not loaded anew.
    page.go_back()
    page.evaluate("window.isSame = true")
    page.locator(".world a").first.dispatch_event("click")
    expect(page.locator(".tools .summary")).to_contain_text("picture")
    assert page.evaluate("window.isSame")


@pytest.mark.parametrize("language, words", [("de-DE", ["Bilder", "Begriffe", "Karte"]), ("en-GB", ["pictures", "Labels", "Map"])])
def test_the_page_speaks_the_language_of_its_reader(demo, open_page, language, words):
    page = open_page(demo.address, locale=language)
    expect(page.locator(".tools .summary")).to_contain_text(words[0])
    for word in words[1:]:
        expect(page.locator("#views")).to_contain_text(word)
    assert page.evaluate("document.documentElement.lang") == language[:2]


def test_both_languages_say_everything(demo, open_page):
    page = open_page(demo.address)
    folder = page.evaluate("document.querySelector('script').src.replace('main.js', '')")
    shape = """async ([folder, language]) => {
        const shape = (value) => typeof value === "function" ? `${value.length} values` : typeof value === "object"
            ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shape(one)])) : "text";
        return shape((await import(`${folder}text-${language}.js`)).default);
    }"""
    english, german = (page.evaluate(shape, [folder, language]) for language in ["en", "de"])
    differing = {key for key in english.keys() | german.keys() if english.get(key) != german.get(key)}
    # Some texts need a number in one language only.
    assert not {key for key in differing if (key in english) != (key in german)}, differing
