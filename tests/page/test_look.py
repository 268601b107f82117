"""Looking at one picture, and deciding about it."""

import re

from daemon import wait_for
from playwright.sync_api import Page, expect


def opened(page: Page, at: int = 0) -> str:
    tile = page.locator(".tile a").nth(at)
    id = tile.get_attribute("data-id")
    tile.click()
    expect(page.locator("#viewer")).to_be_visible()
    return id


def decisions(daemon) -> list:
    return daemon.ask("decisions")["decisions"]


def test_a_second_enter_writes_nothing(daemon, open_page):
    page = open_page(daemon.address)
    page.locator(".tile a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer .labels li").first).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press(" ")
    page.wait_for_load_state("networkidle")
    assert decisions(daemon) == []


def test_the_viewer_has_an_address_neighbours_and_a_way_back(demo, open_page):
    page = open_page(f"{demo.address}/?q=house")
    expect(page.locator(".tile").first).to_be_visible()
    ids = page.eval_on_selector_all(".tile a", "links => links.map(link => link.dataset.id)")
    opened(page, 1)
    assert f"/image/{ids[1]}?q=house" in page.url
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(ids[2]))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile(ids[0]))
    expect(page.locator(".place")).to_have_text(f"1 of {len(ids)}")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page).to_have_url(re.compile("/\\?q=house$"))
    expect(page.locator(f".tile a[data-id='{ids[0]}']")).to_be_focused()


def test_a_picture_can_be_left_before_its_list_is_there(demo, open_page):
    page = open_page(demo.address)
    id = page.locator(".tile a").nth(3).get_attribute("data-id")
    held = []
    page.route("**/api/v1/parse*", lambda route: held.append(route))
    page.goto(f"{demo.address}/image/{id}")
    expect(page.locator("#viewer .picture img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    for route in held:
        route.continue_()
    expect(page.locator(".tile").first).to_be_visible()


def test_an_address_of_a_picture_opens_it(demo, open_page):
    page = open_page(demo.address, is_refused=True)
    id = page.locator(".tile a").nth(3).get_attribute("data-id")
    page.goto(f"{demo.address}/image/{id}")
    expect(page.locator("#viewer .picture img")).to_be_visible()
    expect(page.locator(".place")).to_have_text(re.compile("4 of 145"))
    page.locator("#viewer").get_by_role("button", name="Close").click()
    expect(page.locator("#viewer")).to_be_hidden()
    page.goto(f"{demo.address}/image/{'0' * 64}")
    expect(page.locator("#viewer [role=alert]")).to_contain_text("there is no image")


def test_a_decision_keeps_list_scroll_and_focus(daemon, open_page):
    page = open_page(daemon.address, viewport={"width": 700, "height": 400})
    expect(page.locator(".tile").first).to_be_visible()
    page.evaluate("scrollTo(0, 300)")
    before = page.eval_on_selector_all(".tile a", "links => links.map(link => link.dataset.id)")
    opened(page, 5)
    scroll = page.evaluate("scrollY")
    row = page.locator("#viewer .labels li").first
    yes = row.get_by_role("button", name=re.compile("^It is [^n]"))
    yes.focus()
    page.keyboard.press("Enter")
    expect(yes).to_have_attribute("aria-pressed", "true")
    expect(yes).to_be_focused()
    expect(page.locator(".toast")).to_contain_text("confirmed")
    wait_for("a decision", lambda: len(decisions(daemon)) == 1)
    assert page.evaluate("scrollY") == scroll
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    assert page.eval_on_selector_all(".tile a", "links => links.map(link => link.dataset.id)") == before
    # And it is taken back.
    page.keyboard.press("z")
    wait_for("no decision", lambda: page.wait_for_timeout(20) or not decisions(daemon))


def test_keys_decide_about_the_label_at_hand(daemon, open_page):
    page = open_page(daemon.address)
    id = opened(page)
    expect(page.locator("#viewer .labels .says").first).to_contain_text("kept from")
    page.keyboard.press("n")
    expect(page.locator(".labels li.rejected")).to_have_count(1)
    made = wait_for("a decision", lambda: decisions(daemon))
    assert made[0]["decision"] == "rejected" and made[0]["image"] == id
    page.keyboard.press("z")
    expect(page.locator(".labels li.rejected")).to_have_count(0)


def test_a_label_that_was_missed_is_two_keys_away(daemon, open_page):
    page = open_page(daemon.address)
    opened(page)
    expect(page.locator("#viewer .labels .says").first).to_contain_text("kept from")
    page.keyboard.press("t")
    page.keyboard.type("umbrella")
    page.keyboard.press("Enter")
    expect(page.locator(".labels li", has_text="umbrella")).to_contain_text("you said so")
    made = wait_for("a decision", lambda: decisions(daemon))
    assert made[0]["label"] == "umbrella"


def test_facts_scores_and_reasons_are_told(demo, open_page):
    page = open_page(f"{demo.address}/?q=house+-night")
    opened(page)
    facts = page.locator(".facts")
    expect(facts.locator(".labels li").first).to_contain_text(re.compile("\\d+%, kept from \\d+% on"))
    expect(facts.locator(".why li")).to_have_count(2)
    expect(facts.locator(".why")).to_contain_text("standard deviations")
    expect(facts.locator(".paths a").last).to_have_attribute("href", re.compile("path"))
    expect(facts.locator(".strip a").first).to_be_visible()
    expect(page.locator("#viewer").get_by_role("button", name=re.compile("^It is house"))).to_have_count(1)


def test_nothing_moves_when_the_picture_comes(demo, open_page):
    page = open_page(demo.address)
    expect(page.locator(".tile").first).to_be_visible()
    page.evaluate(
        """() => {
            window.shift = 0;
            const add = (entry) => { if (!entry.hadRecentInput) window.shift += entry.value; };
            new PerformanceObserver((list) => list.getEntries().forEach(add)).observe({ type: "layout-shift" });
        }"""
    )
    held, large = [], re.compile("thumbnail\\?size=(1280|2048)")
    page.route(large, lambda route: held.append(route))
    opened(page)
    expect(page.locator(".labels .says").first).to_be_visible()
    # The large picture comes long after all that is around it.
    wait_for("the large picture is asked for", lambda: page.wait_for_timeout(20) or held)
    # Which lets it go, and those that come after it.
    page.unroute(large)
    expect(page.locator(".picture img")).to_have_attribute("src", large)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.shift") <= 0.01


def test_it_is_looked_at_closely(demo, open_page):
    page = open_page(demo.address)
    opened(page)
    picture = page.locator(".picture img")
    expect(picture).to_be_visible()
    picture.dblclick()
    expect(picture).to_have_class(re.compile("near"))
    expect(picture).to_have_attribute("src", re.compile("/file$"))
    page.keyboard.press("0")
    expect(picture).not_to_have_class(re.compile("near"))


def test_what_others_decide_shows_up(daemon, open_page):
    page = open_page(daemon.address)
    id = opened(page)
    expect(page.locator(".labels .says").first).to_be_visible()
    daemon.ask(f"images/{id}/decisions/things/umbrella", "PUT", {"decision": "confirmed"})
    expect(page.locator(".labels li", has_text="umbrella")).to_contain_text("you said so")


def test_a_selection_gets_a_label_and_loses_it(daemon, open_page):
    page = open_page(daemon.address)
    expect(page.locator(".tile")).to_have_count(12)
    page.locator(".tile a").first.focus()
    page.keyboard.press(" ")
    page.locator(".tile a").nth(4).click(modifiers=["Shift"])
    expect(page.locator(".selection")).to_contain_text("5 selected")
    page.fill("[name=label]", "things/umbrella")
    page.get_by_role("button", name="✓ is it").click()
    expect(page.locator(".toast")).to_contain_text("umbrella")
    wait_for("five decisions", lambda: len(decisions(daemon)) == 5)
    page.locator(".toast").get_by_role("button", name=re.compile("Undo")).click()
    wait_for("no decision", lambda: page.wait_for_timeout(20) or not decisions(daemon))
    page.locator(".tile a").first.focus()
    page.keyboard.press("Control+a")
    expect(page.locator(".selection")).to_contain_text("12 selected")
    page.keyboard.press("Escape")
    expect(page.locator(".selection")).to_have_count(0)


def test_a_printed_picture_is_itself_and_what_is_known_of_it(demo, open_page):
    page = open_page(f"{demo.address}/?q=house", color_scheme="dark")
    opened(page)
    expect(page.locator("#viewer .labels .says").first).to_contain_text("kept from")
    page.emulate_media(media="print")
    expect(page.locator("#viewer .picture img")).to_be_visible()
    expect(page.locator("#viewer .labels li").first).to_be_visible()
    for pressed in ["#viewer button", "#bar", "#grid"]:
        assert not page.locator(pressed).filter(visible=True).count(), pressed
    backs = page.evaluate("[document.documentElement, document.body].map((one) => getComputedStyle(one).backgroundColor)")
    assert set(backs) == {"rgba(0, 0, 0, 0)"}, "paper is white"
