"""Looking around on the map, as a person does."""

import math
import re

import pytest
from playwright.sync_api import Error, Page, expect

from tests.browser.actions import choose, link, seeds_in_link, settled

READY = """key => {
    const plot = document.querySelector(`.st-key-${key}_frame .js-plotly-plot`);
    return Boolean(plot?._fullLayout?.xaxis?.l2p) && plot._fullData.length > 0;
}"""
SELECTED = """key => {
    const plot = document.querySelector(`.st-key-${key}_frame .js-plotly-plot`);
    const chosen = plot._fullData.filter(trace => trace.selectedpoints);
    return [...new Set(chosen.flatMap(trace =>
        Array.from(trace.selectedpoints, point => Number(trace.customdata[point]))))].length;
}"""
TEXTS = """key => {
    const frame = document.querySelector(`.st-key-${key}_frame`).getBoundingClientRect();
    const texts = [...document.querySelectorAll(`.st-key-${key}_frame .annotation-text`)];
    return texts.map(text => text.getBoundingClientRect()).filter(box => box.width > 0)
        .map(box => [box.left - frame.left, frame.right - box.right, box.top, box.bottom,
                     box.left, box.right]);
}"""


def await_map(page: Page, key: str = "map") -> None:
    page.wait_for_function(READY, arg=key)
    settled(page)


def pick_by(page: Page, mouse: str, mode: str) -> None:
    settled(page)
    page.get_by_role("radio", name=mouse).click()
    page.wait_for_function(
        """mode => [...document.querySelectorAll(".js-plotly-plot")]
            .every(plot => plot._fullLayout?.dragmode === mode)""",
        arg=mode,
    )


def lasso(page: Page, key: str) -> None:
    """Draw around the middle of a map."""
    plot = page.locator(f".st-key-{key}_frame .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    reach = min(box["width"], box["height"]) / 3
    corners = [(x + reach * math.cos(a / 4), y + reach * math.sin(a / 4)) for a in range(26)]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner)
    page.mouse.up()


def click_a_track(page: Page, key: str) -> None:
    """Click the most popular track of the last trace until its neighbours are there."""
    for _ in range(10):
        place = page.evaluate(
            """key => {
                const plot = document.querySelector(`.st-key-${key}_frame .js-plotly-plot`);
                const points = plot._fullData.filter(t => t.type === "scattergl" && t.customdata);
                const last = points.at(-1), at = last.x.length - 1;
                plot.scrollIntoView({block: "center", behavior: "instant"});
                const {xaxis, yaxis} = plot._fullLayout;
                const box = plot.getBoundingClientRect();
                return [box.x + xaxis._offset + xaxis.l2p(last.x[at]),
                        box.y + yaxis._offset + yaxis.l2p(last.y[at])];
            }""",
            key,
        )
        page.mouse.move(place[0] - 2, place[1])
        page.mouse.move(*place)
        page.wait_for_timeout(300)
        page.mouse.click(*place)
        try:
            page.get_by_text("Nearest in").first.wait_for(timeout=3_000)
        except Error:
            continue
        return
    pytest.fail("a click on the map shows no neighbours")


def test_a_lasso_and_a_click(journeys_server, open_tab):
    page = open_tab()
    sent: list[int] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(len(data))))
    page.goto(f"{journeys_server}/map?dataset=demo")
    await_map(page)
    expect(page.get_by_text("Near here is not always near in track2vec")).to_be_visible()

    pick_by(page, "Lasso", "lasso")
    lasso(page, "map")
    heading = page.get_by_role("heading", name=re.compile("selected"))
    expect(heading).to_be_visible()
    page.wait_for_function(f"({SELECTED})('map') > 20")
    assert max(sent) < 20_000  # the outline, not the points in it
    page.get_by_role("button", name=re.compile("^Add")).first.click()
    seeds_in_link(page, 100)
    page.get_by_role("button", name="Clear").click()
    expect(heading).to_be_hidden()
    page.wait_for_function(f"({SELECTED})('map') === 0")

    pick_by(page, "Click", "pan")
    click_a_track(page, "map")
    expect(page.get_by_text("Nearest in track2vec")).to_be_visible()
    page.wait_for_function("new URL(location.href).searchParams.has('map.focus')")

    # the wheel zooms, and the zoom survives another colour, though the chart is a new one
    await_map(page)
    page.locator(".st-key-map_frame .nsewdrag").first.hover()
    span = "document.querySelector('.st-key-map_frame .js-plotly-plot')._fullLayout.yaxis.range"
    far = page.evaluate(span)
    page.mouse.wheel(0, -600)
    page.wait_for_function(f"(r => r[1] - r[0] < {0.95 * (far[1] - far[0])})({span})")
    near = page.evaluate(span)
    choose(page, "Colour", "Popularity")
    page.wait_for_function("new URL(location.href).searchParams.has('map.colour')")
    page.wait_for_function(
        "document.querySelector('.st-key-map_frame .cbaxis, .st-key-map_frame .colorbar')"
    )
    page.wait_for_function(f"low => Math.abs({span}[0] - low) < 0.05", arg=near[0])

    # all of it is in the address
    again = open_tab()
    again.goto(page.evaluate("location.href"))
    await_map(again)
    expect(again.get_by_text("Nearest in track2vec")).to_be_visible()
    assert link(again) == link(page)


def test_on_a_phone_texts_stay_on_the_map_and_apart(journeys_server, open_tab):
    page = open_tab("phone", "dark")
    page.goto(f"{journeys_server}/map?dataset=open&title=party&map.trajectory=yes")
    await_map(page)
    boxes = page.evaluate(TEXTS, "map")
    assert len(boxes) >= 4
    assert min(min(left, right) for left, right, *_ in boxes) >= -2
    for i, (_, _, top, bottom, left, right) in enumerate(boxes):
        for _, _, over, under, start, end in boxes[:i]:
            assert min(bottom, under) - max(top, over) < 6 or min(right, end) - max(left, start) < 6
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
