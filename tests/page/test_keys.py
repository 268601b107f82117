"""The page by keyboard alone."""

import re

import pytest
from daemon import until
from playwright.sync_api import expect


def test_the_first_picture_is_few_tabs_from_the_box(demo, open_page):
    page = open_page(demo.address)
    expect(page.locator(".tile").first).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#query")).to_be_focused()
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("Boolean(document.activeElement.closest('.tile'))"):
            break
    else:
        raise AssertionError("more than five Tabs")


def test_arrows_go_from_picture_to_picture(demo, open_page):
    page = open_page(demo.address)
    page.locator(".tile a").first.focus()
    at = "document.activeElement.closest('.tile')?.at"
    y = "document.activeElement.closest('.tile').getBoundingClientRect().top"
    top = page.evaluate(y)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(at) == 1 and page.evaluate(y) == top
    page.keyboard.press("ArrowDown")
    assert page.evaluate(at) > 1 and page.evaluate(y) > top
    page.keyboard.press("ArrowUp")
    assert page.evaluate(at) == 1
    page.keyboard.press("End")
    until(page, f"{at} === 144")
    page.keyboard.press("Home")
    until(page, f"{at} === 0")
    page.keyboard.press("PageDown")
    assert page.evaluate(at) > 5


@pytest.mark.parametrize("key, place", [("l", "/labels"), ("d", "/duplicates"), ("m", "/map"), ("i", "/library")])
def test_views_are_two_keys_away(demo, open_page, key, place):
    page = open_page(demo.address)
    expect(page.locator(".tile").first).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press(key)
    expect(page).to_have_url(re.compile(f"{place}$"))
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.locator(".tile").first).to_be_visible()


def test_keys_are_told(demo, open_page):
    page = open_page(demo.address)
    expect(page.locator(".tile").first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("add a label")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_letters_in_the_box_are_letters(demo, open_page):
    page = open_page(demo.address)
    page.locator("#query").click()
    page.keyboard.type("gl?/ynz")
    expect(page.locator("#query")).to_have_value("gl?/ynz")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.locator("#query")).not_to_be_focused()
