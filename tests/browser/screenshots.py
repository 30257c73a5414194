"""The README's pictures, from the real app on the shipped demo.

`python -m tests.browser.screenshots [FOLDER]` writes docs/, or another folder.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, expect, sync_playwright

from core.dataset.dataset import Dataset
from core.explore.examples import examples
from core.workspace import DEMO
from tests.browser.conftest import CHROMIUM, FLAGS, REPOSITORY, SIZES, serving

PAGES = ("continuation", "map", "journey", "popularity", "comparison", "training", "library")
THEMES = ("light", "dark")
LOADED_MS = 60_000
DRAWN_MS = 4_000
CHARTS_DRAWN = """() => [...document.querySelectorAll("[data-testid=stPlotlyChart]")]
    .every(chart => chart.querySelector(".main-svg"))"""


def query() -> str:
    """A playlist of the demo's own examples."""
    dataset = Dataset(DEMO)
    example = examples(dataset)[0]
    seeds = "&".join(f"seed={uri}" for uri in dataset.values("uri", example.tracks))
    return f"dataset=demo&title={example.title}&{seeds}"


def take(browser: Browser, address: str, page: str, size: str, theme: str, folder: Path) -> None:
    """One page in one look, as far as the window shows it."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, device_scale_factor=1
    )
    tab = context.new_page()
    path = "" if page == "continuation" else page
    tab.goto(f"{address}/{path}?{query()}")
    tab.get_by_role("heading").first.wait_for()
    expect(tab.get_by_test_id("stSkeleton")).to_have_count(0, timeout=LOADED_MS)
    tab.wait_for_function(CHARTS_DRAWN, timeout=LOADED_MS)
    tab.wait_for_timeout(DRAWN_MS)
    tab.screenshot(path=folder / f"{page}-{size}-{theme}.png")
    context.close()


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with (
        TemporaryDirectory() as workspace,
        serving(Path(workspace)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for page in PAGES:
            for size in SIZES:
                for theme in THEMES:
                    take(browser, address, page, size, theme, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs")
