"""A page as a browser without JavaScript has it: every control of every form with its value, links, and texts by id."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from typing_extensions import override

VOID = {
    "input",
    "link",
    "meta",
    "br",
    "hr",
    "img",
    "use",
    "path",
    "area",
    "base",
    "col",
    "embed",
    "source",
    "track",
    "wbr",
}
TYPED = {"text", "email", "url", "number", "date", "search", "password", "textarea"}


@dataclass
class Control:
    """One control. ``options`` are those of a select."""

    tag: str
    type: str
    name: str
    value: str
    attributes: Mapping[str, str]
    options: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.attributes.get("id", "")

    @property
    def is_typed(self) -> bool:
        """Whether somebody writes in it."""
        return self.type in TYPED and "readonly" not in self.attributes and "disabled" not in self.attributes

    @property
    def is_sent(self) -> bool:
        """Whether a browser sends it, when no button is named."""
        if "disabled" in self.attributes or not self.name or self.type in {"submit", "button"}:
            return False
        return self.type not in {"checkbox", "radio"} or "checked" in self.attributes

    def describes(self) -> list[str]:
        """Return the ids of what describes it."""
        return self.attributes.get("aria-describedby", "").split()


@dataclass
class WebForm:
    """One form."""

    action: str
    method: str
    controls: list[Control] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Where it goes, without the fragment."""
        return self.action.partition("#")[0]

    @property
    def typed(self) -> list[Control]:
        return [each for each in self.controls if each.is_typed]

    def named(self, name: str) -> Control:
        return next(each for each in self.controls if each.name == name)

    def sent(self, values: Mapping[str, str | None]) -> list[tuple[str, str]]:
        """Return what a browser sends, with ``values`` typed or chosen; None: left out."""
        kept = [(each.name, each.value) for each in self.controls if each.is_sent and each.name not in values]
        return [*kept, *((name, value) for name, value in values.items() if value is not None)]


class WebPage(HTMLParser):
    """The page. ``texts`` are by id; ``alerts`` are those of elements with ``role=alert``, by id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[WebForm] = []
        self.links: list[str] = []
        self.texts: dict[str, str] = {}
        self.alerts: set[str] = set()
        self._open: list[tuple[str, str]] = []
        self._control: Control | None = None
        self._option = False
        self.feed(html)

    def form(self, path: str, field_name: str = "") -> WebForm:
        """Return the form that goes to ``path``, and has a control of this name."""
        for each in self.forms:
            if each.path == path and (not field_name or any(control.name == field_name for control in each.controls)):
                return each
        message = f"no form to {path} with {field_name!r}: {[each.path for each in self.forms]}"
        raise LookupError(message)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append((tag, got.get("id", "")))
        if got.get("role") == "alert" and got.get("id"):
            self.alerts.add(got["id"])
        if tag == "a" and "href" in got:
            self.links.append(got["href"])
        elif tag == "form":
            self.forms.append(WebForm(got.get("action", ""), got.get("method", "get").lower()))
        elif tag in {"input", "button", "select", "textarea"} and self.forms:
            self._add(tag, got)
        elif tag == "option" and self._control is not None:
            self._chosen(got)

    def _add(self, tag: str, got: dict[str, str]) -> None:
        kind = {"button": got.get("type", "submit"), "input": got.get("type", "text")}.get(tag, tag)
        value = got.get("value", "on" if kind in {"checkbox", "radio"} else "")
        control = Control(tag, kind, got.get("name", ""), value, got)
        self.forms[-1].controls.append(control)
        self._control = control if tag in {"select", "textarea"} else None

    def _chosen(self, got: dict[str, str]) -> None:
        assert self._control is not None
        value = got.get("value", "")
        if not self._control.options or "selected" in got:
            self._control.value = value
        self._control.options.append(value)

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag in {"select", "textarea"}:
            self._control = None
        for at in range(len(self._open) - 1, -1, -1):
            if self._open[at][0] == tag:
                del self._open[at:]
                return

    @override
    def handle_data(self, data: str) -> None:
        for _, name in self._open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data
        if self._control is not None and self._control.tag == "textarea":
            # A line break right after the tag is no part of the value (HTML section 13.2.6.4.7).
            self._control.value += data.removeprefix("\n") if not self._control.value else data
