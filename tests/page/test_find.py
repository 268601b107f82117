"""Finding: what is typed, what is found, and what the address says of it."""

import contextlib
import re
import shutil
from urllib.parse import parse_qs, urlsplit

import pytest
from daemon import until, wait_for
from playwright.sync_api import Error, Page, expect


def query_of(page: Page) -> str:
    return parse_qs(urlsplit(page.url).query).get("q", [""])[0]


def shown(page: Page) -> list[str]:
    return page.eval_on_selector_all(".tile a", "links => links.map(link => link.dataset.id)")


def summary(page: Page):
    return page.locator(".tools .summary")


def value(page: Page, label: str):
    return page.locator(f"#rail .value:has(bdi:text-is('{label}'))")


def test_what_is_typed_stays_while_pictures_come_in(daemon, drawn, open_page):
    page = open_page(daemon.address)
    expect(page.locator(".tile")).to_have_count(12)
    box = page.locator("#query")
    box.click()
    for number, letter in enumerate("a red house at night"):
        if number % 4 == 0:
            path = drawn[20 + number]
            shutil.copy2(path, daemon.pictures / f"new-{path.name}")
        page.keyboard.type(letter)
        page.wait_for_timeout(60)
    expect(box).to_have_value("a red house at night")
    expect(page).to_have_url(re.compile("q=a\\+red\\+house\\+at\\+night"))
    expect(box).to_be_focused()


def test_new_pictures_wait_until_they_are_wanted(daemon, drawn, open_page):
    page = open_page(daemon.address)
    expect(page.locator(".tile")).to_have_count(12)
    before = shown(page)
    for path in drawn[40:43]:
        shutil.copy2(path, daemon.pictures / f"new-{path.name}")
    shutil.copy2(drawn[40], daemon.pictures / "the same again.jpg")
    wait_for("all files", lambda: daemon.ask("status")["files"].get("indexed") == 16)
    pill = page.locator(".pill")
    expect(pill).to_contain_text("3 new")
    assert shown(page) == before, "nothing moves under the reader"
    pill.click()
    expect(page.locator(".tile")).to_have_count(15)


def test_the_last_query_wins(demo, open_page):
    page = open_page(demo.address)
    held = []
    page.route(re.compile("search\\?q=boat"), lambda route: held.append(route))
    page.fill("#query", "boat")
    wait_for("the slow request", lambda: page.wait_for_timeout(20) or held)
    page.fill("#query", "house")
    expect(summary(page)).to_contain_text("found")
    houses = shown(page)
    for route in held:
        # The page may have given it up.
        with contextlib.suppress(Error):
            route.continue_()
    page.wait_for_load_state("networkidle")
    assert shown(page) == houses and query_of(page) == "house"


def test_what_is_typed_while_an_answer_is_awaited_stays(demo, open_page):
    page = open_page(f"{demo.address}/?q=house")
    expect(page.locator("#query")).to_have_value("house")
    held = []
    page.route("**/api/v1/parse*", lambda route: held.append(route))
    page.locator("#query").fill("boat")
    page.keyboard.press("Enter")
    wait_for("the question", lambda: page.wait_for_timeout(20) or held)
    page.keyboard.type("s at")
    for route in held:
        route.continue_()
    page.unroute("**/api/v1/parse*")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#query")).to_have_value("boats at")


def test_results_come_while_one_types(demo, open_page):
    page = open_page(demo.address)
    page.locator("#query").press_sequentially("red star", delay=30)
    expect(summary(page)).to_contain_text("found")
    assert query_of(page) == "red star"


def test_a_query_is_one_place_in_the_history(demo, open_page):
    page = open_page(demo.address)
    expect(summary(page)).to_have_text("145 pictures")
    length = page.evaluate("history.length")
    page.locator("#query").press_sequentially("house", delay=20)
    for _ in range(3):
        page.keyboard.press("Enter")
    expect(summary(page)).to_contain_text("found")
    assert page.evaluate("history.length") <= length + 2
    page.keyboard.press("Escape")
    page.go_back()
    until(page, "!location.search.includes('house') || history.state?.isTyped")


def test_a_mistake_takes_the_place_of_what_was_found(demo, open_page):
    page = open_page(f"{demo.address}/?q=house")
    expect(page.locator(".tile").first).to_be_visible()
    page.fill("#query", 'a "red car')
    expect(page.locator("[role=alert]")).to_contain_text("never closed")
    expect(page.locator("#list")).to_be_hidden()
    page.fill("#query", "house")
    expect(page.locator(".tile").first).to_be_visible()


def test_facets_swap_widen_and_leave_out(demo, open_page):
    page = open_page(demo.address)
    value(page, "red").click()
    expect(summary(page)).to_contain_text("18 pictures found")
    expect(page.locator(".chip")).to_contain_text("red")
    expect(value(page, "red")).to_have_attribute("aria-pressed", "true")
    # Another colour leads somewhere though the first one is chosen.
    blue = value(page, "blue")
    count = int(blue.locator("small").inner_text())
    blue.click(modifiers=["Shift"])
    expect(summary(page)).to_contain_text(f"{18 + count} pictures found")
    value(page, "night").click(modifiers=["Alt"])
    assert query_of(page) == "tag:colours/red,colours/blue -tag:scenes/night"
    expect(page.locator(".chip.not")).to_contain_text("night")
    page.locator(".chip.not .drop").click()
    expect(summary(page)).to_contain_text(f"{18 + count} pictures found")


def test_what_is_typed_as_a_filter_is_pressed_in_the_rail(demo, open_page):
    page = open_page(demo.address)
    page.fill("#query", "tag:colours/red")
    page.keyboard.press("Enter")
    expect(value(page, "red")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#query")).to_have_value("")
    value(page, "red").click()
    expect(summary(page)).to_have_text("145 pictures")
    assert query_of(page) == ""


def test_years_folders_cameras_and_formats_narrow(demo, open_page):
    page = open_page(demo.address)
    for title in ["Taken", "Folders", "Cameras", "Formats"]:
        section = page.locator(f"#rail section:has(bdi:text-is('{title}'))")
        first = section.locator(".value").first
        count = first.locator("small").inner_text()
        first.click()
        expect(summary(page)).to_contain_text(f"{count} picture")
        page.locator("#home").click()
        expect(summary(page)).to_have_text("145 pictures")


def test_suggestions_are_of_this_library(demo, open_page):
    page = open_page(demo.address)
    page.locator("#query").press_sequentially("umb", delay=20)
    offer = page.get_by_role("option", name=re.compile("umbrella"))
    expect(offer).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_contain_text("umbrella")
    assert query_of(page) == "tag:things/umbrella"
    expect(page.locator("#query")).to_have_value("")


def test_newest_is_first_and_months_lead_to_their_pictures(demo, open_page):
    page = open_page(demo.address)
    expect(page.locator(".tile").first).to_be_visible()
    items = page.evaluate("fetch('/api/v1/images?order=-taken&limit=12').then(answer => answer.json())")["items"]
    assert shown(page)[:12] == [item["id"] for item in items]
    assert [item["taken_at"] for item in items] == sorted((item["taken_at"] for item in items), reverse=True)
    last = page.locator(".months button").last
    title = last.get_attribute("aria-label").split(":")[0]
    last.click()
    expect(page.locator("#months h2", has_text=title)).to_be_in_viewport()


def test_no_picture_is_shown_twice_however_fast_one_scrolls(demo, open_page):
    page = open_page(f"{demo.address}/?q=strictness:0+house")
    expect(page.locator(".tile").first).to_be_visible()
    seen = set()
    for _ in range(40):
        page.mouse.wheel(0, 400)
        until(page, "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
        ids = shown(page)
        assert len(ids) == len(set(ids))
        seen.update(ids)
        if page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 2"):
            break
    expect(page.locator(".tile").last).to_be_visible()
    assert len(seen) > 100


def test_back_brings_the_very_place_back(demo, open_page):
    page = open_page(demo.address)
    expect(page.locator(".tile").first).to_be_visible()
    page.evaluate("scrollTo(0, 2500)")
    until(page, "history.state?.scroll > 2400")
    before = shown(page)
    value_y = page.evaluate("scrollY")
    page.locator("#views a[href='/map']").click()
    expect(page.locator(".world")).to_be_visible()
    page.go_back()
    until(page, f"Math.abs(scrollY - {value_y}) < 3")
    assert set(before) & set(shown(page))


def test_like_this_begins_at_the_top(demo, open_page):
    page = open_page(demo.address)
    expect(page.locator(".tile").first).to_be_visible()
    page.evaluate("scrollTo(0, 2500)")
    until(page, "history.state?.scroll > 2400")
    tile = page.locator(".tile a").nth(20)
    tile.focus()
    page.keyboard.press("s")
    expect(page.locator(".chip.image")).to_have_count(1)
    expect(summary(page)).to_contain_text("found")
    until(page, "scrollY === 0")


def test_a_brought_picture_is_sent_once_and_stays_after_a_reload(demo, drawn, open_page):
    page = open_page(demo.address)
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.set_input_files("input[type=file]", drawn[0])
    expect(page.locator(".chip.image img")).to_have_count(1)
    expect(summary(page)).to_contain_text("found")
    value(page, "red").click()
    expect(page.locator(".chip")).to_have_count(2)
    assert sum("uploads" in url for url in sent) == 1
    query = query_of(page)
    page.reload()
    expect(page.locator(".chip.image")).to_have_count(1)
    expect(summary(page)).to_contain_text("found")
    assert query_of(page) == query


def test_a_picture_dragged_onto_the_box_is_looked_for(demo, open_page):
    page = open_page(demo.address)
    page.locator(".tile a").first.drag_to(page.locator("#search"))
    expect(page.locator(".chip.image")).to_have_count(1)
    page.locator(".chip .face").first.click()
    weight = page.locator(".chip .weight input")
    weight.fill("-1")
    expect(page.locator(".chip.image.not")).to_have_count(1)


def test_a_picture_dragged_onto_the_minus_is_what_hits_are_not_like(demo, open_page):
    page = open_page(f"{demo.address}/?q=house")
    tile = page.locator(".tile a").first
    expect(tile).to_be_visible()
    box = tile.bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 40, steps=4)
    unlike = page.locator(".unlike")
    expect(unlike).to_be_visible()
    there = unlike.bounding_box()
    page.mouse.move(there["x"] + 20, there["y"] + 20, steps=8)
    page.mouse.up()
    expect(page.locator(".chip.image.not")).to_have_count(1)
    assert query_of(page).startswith("-0.5:image:")


def test_strictness_is_dragged(demo, open_page):
    page = open_page(f"{demo.address}/?q=boat")
    expect(summary(page)).to_contain_text("found")
    few = int(summary(page).inner_text().split()[0])
    page.locator(".ruler input").fill("0")
    expect(page.locator(".chip")).to_contain_text("strictness")
    until(page, f"parseInt(document.querySelector('.tools .summary').textContent) > {few}")


def test_nothing_found_says_what_to_leave_out(demo, open_page):
    page = open_page(f"{demo.address}/?q=tag:colours/red+taken:1999")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    page.get_by_role("link", name="taken:1999").or_(page.get_by_role("link", name="tag:colours/red")).last.click()
    expect(page.locator(".tile").first).to_be_visible()


def test_a_search_is_kept_and_is_an_album(demo, open_page):
    page = open_page(f"{demo.address}/?q=tag:colours/red")
    page.on("dialog", lambda dialog: dialog.accept("Red things"))
    page.get_by_role("button", name="Keep this search").click()
    expect(page.locator(".toast")).to_contain_text("Red things")
    album = page.evaluate("fetch('/api/v1/searches/Red%20things/images?total=true').then(answer => answer.json())")
    assert album["total"] == 18
    page.goto(f"{demo.address}/library")
    page.get_by_role("link", name="Red things").click()
    expect(summary(page)).to_contain_text("18 pictures")
    page.goto(f"{demo.address}/library")
    page.get_by_role("button", name="Remove Red things").click()
    expect(page.get_by_role("link", name="Red things")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 390, 1366, 3840])
def test_pictures_are_seen_in_windows_of_any_size(demo, open_page, width):
    page = open_page(demo.address, viewport={"width": width, "height": 800})
    expect(page.locator(".tile").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    inside = "({ top, bottom }) => top >= 0 && bottom <= innerHeight"
    count = f"tiles => tiles.filter(tile => ({inside})(tile.getBoundingClientRect())).length"
    whole = page.eval_on_selector_all(".tile", count)
    assert whole >= 9, f"{whole} pictures are wholly in view"
    assert page.locator(".tile").count() <= 400


def test_an_open_list_stays_small(demo, open_page):
    page = open_page(demo.address)
    expect(page.locator(".tile").first).to_be_visible()
    page.keyboard.press("End")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    until(page, "scrollY > 1000")
    assert page.locator(".tile").count() <= 120
