"""Label sets, edited with a look at what that does; and the review of one label."""

import re

from daemon import wait_for
from playwright.sync_api import Page, expect

TEXT = """# Mine, and it stays.
threshold = 0.5

[[labels]]
name = "house"  # where people live
threshold = 0.4

[[labels]]
name = "boat"
"""


def row(page: Page, label: str):
    return page.locator(f".editor tbody tr:has(bdi:text-is('{label}'))")


def editor(daemon, open_page, **window) -> Page:
    daemon.ask("label-sets/mine", "PUT", TEXT)
    page = open_page(f"{daemon.address}/labels/mine", **window)
    expect(row(page, "house").locator(".change")).to_contain_text("+0")
    return page


def slide(page: Page, value: str):
    page.locator(".threshold input").fill(value)


def test_a_threshold_counts_at_once_and_saves_with_comments(daemon, open_page):
    page = editor(daemon, open_page)
    slide(page, "0.99")
    expect(row(page, "house")).to_contain_text("0.99")
    expect(page.get_by_text("Lines: −1 +1")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    saved = (daemon.labels / "mine.toml").read_text()
    assert saved == TEXT.replace("0.4", "0.99")
    page.locator(".toast").get_by_role("button", name=re.compile("Undo")).click()
    wait_for("the last text", lambda: page.wait_for_timeout(20) or (daemon.labels / "mine.toml").read_text() == TEXT)
    expect(row(page, "house")).to_contain_text("0.40")


def test_the_counts_of_a_drag_are_those_of_the_daemon(daemon, open_page):
    page = editor(daemon, open_page)
    for value in ["0.01", "0.3", "1"]:
        slide(page, value)
        foreseen = row(page, "house").locator("td").nth(1).inner_text()
        expect(page.locator("textarea").first).to_have_value(re.compile(f"threshold = {value}"))
        page.wait_for_load_state("networkidle")
        text = page.locator("textarea").first.input_value()
        told = daemon.ask("label-sets/mine/preview", "POST", text)
        assert foreseen == str(told["labels"][0]["images"]), value


def test_pictures_on_both_sides_are_answered(daemon, open_page):
    page = editor(daemon, open_page)
    missed = page.locator(".near").last.locator("li")
    expect(missed.first).to_be_visible()
    missed.first.get_by_role("button", name="It is house").click()
    wait_for("a decision", lambda: page.wait_for_timeout(20) or daemon.ask("decisions")["decisions"])
    expect(page.locator(".toast")).to_contain_text("confirmed")


def test_labels_are_added_changed_and_removed(daemon, open_page):
    page = editor(daemon, open_page)
    page.fill("[name=name]", "star")
    page.keyboard.press("Enter")
    expect(row(page, "star")).to_be_visible()
    page.get_by_label("Prompts, a line each").fill("a yellow star\na star at night")
    page.get_by_label("Prompts, a line each").blur()
    expect(page.locator("textarea").first).to_have_value(re.compile("a yellow star"))
    row(page, "boat").get_by_role("button").click()
    page.get_by_role("button", name="Remove this label").click()
    expect(row(page, "boat")).to_have_count(0)
    page.get_by_role("button", name="Discard").click()
    expect(row(page, "boat")).to_be_visible()
    expect(row(page, "star")).to_have_count(0)


def test_a_mistake_is_told_with_its_line(daemon, open_page):
    page = editor(daemon, open_page)
    page.locator("summary", has_text="Text").click()
    page.locator("textarea").first.fill(TEXT + "[[labels]]\nnme = 3\n")
    expect(page.locator("[role=alert]")).to_contain_text("line 11")
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    # What was typed outlives a reload.
    page.reload()
    page.locator("summary", has_text="Text").click()
    expect(page.locator("textarea").first).to_have_value(re.compile("nme = 3"))


def test_what_another_editor_wrote_is_not_lost(daemon, open_page):
    page = editor(daemon, open_page, is_refused=True)
    slide(page, "0.9")
    expect(page.get_by_role("button", name="Save")).to_be_visible()
    theirs = TEXT.replace("boat", "ship")
    (daemon.labels / "mine.toml").write_text(theirs)
    expect(page.locator(".editor .warning[role=alert]")).to_contain_text("changed elsewhere")
    page.get_by_role("button", name="Save", exact=True).click()
    assert (daemon.labels / "mine.toml").read_text() == theirs
    page.get_by_role("button", name="Take that").click()
    expect(row(page, "ship")).to_be_visible()


def test_an_editor_that_nobody_touched_follows_the_file(daemon, open_page):
    page = editor(daemon, open_page)
    (daemon.labels / "mine.toml").write_text(TEXT.replace("boat", "ship"))
    expect(row(page, "ship")).to_be_visible()


def test_the_open_page_follows_label_files(daemon, open_page):
    page = open_page(daemon.address)
    expect(page.locator("#rail")).to_contain_text("things")
    text = (daemon.labels / "things.toml").read_text()
    name = page.locator("#rail section:has(bdi:text-is('things')) .value bdi").first.inner_text()
    (daemon.labels / "things.toml").write_text(text.replace(f'"{name}"', f'"{name} of mine"'))
    expect(page.locator("#rail")).to_contain_text(f"{name} of mine")


def test_a_new_set_is_made_and_deleted(daemon, open_page):
    page = open_page(f"{daemon.address}/labels", is_refused=True)
    page.fill("[name=name]", "places")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="places")).to_be_visible()
    page.fill("[name=name]", "beach")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    assert 'name = "beach"' in (daemon.labels / "places.toml").read_text()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete this set").click()
    wait_for("no file", lambda: page.wait_for_timeout(20) or not (daemon.labels / "places.toml").exists())
    page.locator(".toast").last.get_by_role("button", name=re.compile("Undo")).click()
    wait_for("the file", lambda: page.wait_for_timeout(20) or (daemon.labels / "places.toml").exists())


def test_one_key_for_each_picture(daemon, open_page):
    daemon.ask("label-sets/mine", "PUT", TEXT)
    page = open_page(f"{daemon.address}/review/mine/house")
    expect(page.locator("figure img")).to_be_visible()
    seen = []
    for key in "ynyn":
        seen.append(page.locator("figure img").get_attribute("src"))
        page.keyboard.press(key)
    expect(page.locator("figure img")).not_to_have_attribute("src", seen[-1])
    assert len(set(seen)) == 4
    wait_for("four decisions", lambda: page.wait_for_timeout(20) or len(daemon.ask("decisions")["decisions"]) == 4)
    expect(page.locator(".summary")).to_contain_text("2 right, 2 wrong")


def test_all_the_others_are_right(daemon, open_page):
    daemon.ask("label-sets/mine", "PUT", TEXT)
    page = open_page(f"{daemon.address}/review/mine/house")
    page.get_by_label("Shown").select_option("sheet")
    expect(page.locator(".sheet li")).to_have_count(12)
    page.locator(".sheet button").first.click()
    page.get_by_role("button", name=re.compile("All the others")).click()
    expect(page.locator(".toast")).to_contain_text("11 right, 1 wrong")
    made = daemon.ask("decisions")["decisions"]
    assert sorted(one["decision"] for one in made) == ["confirmed"] * 11 + ["rejected"]
    # Ten answers and more say how often it is right, and where the threshold would be.
    expect(page.locator(".summary")).to_contain_text("Right:")
