"""What is styled is used, and what is used is styled: classes and custom properties, both ways."""

import re
from collections.abc import Iterable

from doorward.policy.why import Outcome
from support.tree import SOURCE, text

STATIC = SOURCE / "web" / "static"
CSS = re.sub(
    r"/\*.*?\*/", "", "\n".join(text(STATIC / name) for name in ("tokens.css", "components.css")), flags=re.DOTALL
)
TEMPLATES = [text(path) for path in SOURCE.rglob("*.html")]
SCRIPTS = [text(path) for path in STATIC.glob("*.js") if path.name != "uplot.js"]

ATTRIBUTE = re.compile(r"""\bclass="((?:\{\{.*?\}\}|\{%.*?%\}|[^"])*)\"""", re.DOTALL)
JINJA = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
QUOTED = re.compile(r"""["'`]([^"'`]*)["'`]""")
WIDTHS = re.compile(r"\{% block width %\}([^{]*)\{%")
FROM_CODE = {
    *(f"deep-{depth}" for depth in range(1, 7)),  # choosing.html: as deep as a node lies, 6 at most
    *(each.value for each in Outcome),  # why.html
    "s1", "s2", "sd",  # chart.py
}  # fmt: skip


def words(texts: Iterable[str]) -> set[str]:
    return {word for each in texts for word in each.split()}


def styled() -> set[str]:
    """Return every class that a selector names."""
    return set(re.findall(r"\.([a-zA-Z][\w-]*)", re.sub(r"\{[^{}]*\}", "\n", CSS)))


def in_attributes() -> set[str]:
    """Return every class that stands in an attribute, written out or in a text of an expression."""
    attributes = [found for template in TEMPLATES for found in ATTRIBUTE.findall(template)]
    plain = words(JINJA.sub(" ", each) for each in attributes) | words(
        width for template in TEMPLATES for width in WIDTHS.findall(template)
    )
    return {each for each in plain if not each.endswith("-")}


def in_texts() -> set[str]:
    """Return what may be a class: every quoted word of an expression or a script."""
    expressions = (found for template in TEMPLATES for found in JINJA.findall(template))
    return words(quoted for each in (*expressions, *SCRIPTS) for quoted in QUOTED.findall(each))


def test_every_class_that_is_used_is_styled() -> None:
    assert in_attributes() - styled() == set()
    assert styled() >= FROM_CODE


def test_every_class_that_is_styled_is_used() -> None:
    library = text(STATIC / "uplot.js")
    unused = styled() - in_attributes() - in_texts() - FROM_CODE
    assert {each for each in unused if each not in library} == set()


def test_every_element_that_is_styled_is_used() -> None:
    pages = "\n".join(TEMPLATES)
    outermost = set(re.findall(r"^\s*([a-z][a-z0-9]*)(?=[\s{:\[.>])", re.sub(r"\{[^{}]*\}", "\n", CSS), re.MULTILINE))
    assert {each for each in outermost if f"<{each}" not in pages} == set()


def test_every_custom_property_is_defined_and_used() -> None:
    defined = set(re.findall(r"(--[\w-]+)\s*:", CSS))
    used = set(re.findall(r"var\((--[\w-]+)", CSS))
    read = {each for script in SCRIPTS for each in re.findall(r"--[\w-]+", script)}
    assert defined - used - read == set()
    assert used - defined == set()


def test_every_animation_is_used() -> None:
    for name in re.findall(r"@keyframes ([\w-]+)", CSS):
        assert re.search(rf"animation[^;]*\b{name}\b", CSS), name
