"""What every page must hold, looked at in Chromium: axe-core's findings, the keyboard, the width of a phone, the origin.

Scripts come in over the debugging protocol: the page's own policy (CSP) stays as it is, and nothing comes from a network.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

from support import chromium
from support.node import NODE_PROJECT

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
GRAVE = {"serious", "critical"}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]
# What the keyboard must reach: everything one can operate and see. Of a group of radio buttons one is a stop.
STOPS = """() => {
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
  const seen = (each) => each.checkVisibility({visibilityProperty: true}) && each.type !== "hidden";
  const open = all.filter((each) => seen(each) && !each.disabled && each.tabIndex >= 0 && !each.closest("[inert]"));
  const ring = (each) => {
    const style = each && getComputedStyle(each);
    return style && ((style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== "none");
  };
  const name = (each) => each.outerHTML.replace(/\\s+/g, " ").slice(0, 120);
  window.stops = {left: new Set(open), bare: [], name};
  document.addEventListener("focusin", ({target}) => {
    for (const each of [...window.stops.left]) {
      const group = target.type === "radio" && each.type === "radio" && each.name === target.name;
      if (each === target || group) window.stops.left.delete(each);
    }
    const near = [target, target.parentElement, target.closest("label"), target.closest("label")?.parentElement];
    if (!near.some(ring)) window.stops.bare.push(name(target));
  });
  document.activeElement?.blur();
  // The day, the month, the year and the calendar of a date are each a stop.
  return open.length + 3 * open.filter((each) => each.type === "date").length;
}"""


@dataclass
class Watch:
    """A page, and what its browser complained about or asked of others."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        # A violation of the policy is told here too. A 4xx page of ours is logged as a failed resource.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(f"{self.origin}/"):
            self.complaints.append(f"asked another origin: {request.url}")


@contextmanager
def watched(context: BrowserContext, origin: str) -> Iterator[Watch]:
    """Yield a page of ``context`` that is watched."""
    page = context.new_page()
    try:
        yield Watch(page, origin)
    finally:
        page.close()


def audited(watch: Watch, name: str) -> list[str]:
    """Return what is wrong with the page that is open, light, dark and on a phone; screenshots are kept under ``name``."""
    page, wrong = watch.page, list[str]()
    page.wait_for_load_state("load")
    wrong += _named(page)
    for look in ("light", "dark", "phone"):
        page.emulate_media(color_scheme="dark" if look == "dark" else "light", reduced_motion="reduce")
        page.set_viewport_size(PHONE if look == "phone" else DESKTOP)  # type: ignore[arg-type]
        page.screenshot(path=chromium.keep(f"page-{name}-{look}"), full_page=True)
        if look == "light":
            page.screenshot(path=chromium.keep(f"view-{name}"))  # docs/pictures.py takes some of these
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            wrong.append(f"{look}: scrolls sideways")
        # The theme changes colours alone.
        wrong += [f"{look}: {each}" for each in _axe(page, COLOURS if look == "dark" else RULES)]
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    return [*wrong, *_keyboard(page), *watch.complaints]


def _named(page: Page) -> list[str]:
    said = page.title().removesuffix("· Doorward").strip()
    headings = page.locator("h1").count()
    return [*([] if said else ["has no title"]), *([] if headings == 1 else [f"has {headings} h1"])]


@cache
def _script() -> str:
    return (NODE_PROJECT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def _axe(page: Page, only: list[str]) -> list[str]:
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_script())
    found: dict[str, Any] = page.evaluate("(only) => axe.run({runOnly: only, resultTypes: ['violations']})", only)
    return [
        f"axe {each['id']} ({each['impact']}): {node['html'][:160]}"
        for each in found["violations"]
        for node in each["nodes"]
        if each["impact"] in GRAVE
    ]


def _keyboard(page: Page) -> list[str]:
    for _ in range(page.evaluate(STOPS) + 3):
        page.keyboard.press("Tab")
    left, bare = page.evaluate("[[...stops.left].map(stops.name), stops.bare]")
    return [
        *(f"not reached by keyboard: {each}" for each in left),
        *(f"focus is not seen: {each}" for each in bare),
    ]
