"""How ``make docs`` turns ``docs/`` into static pages (decision 0075). Nothing on them comes from, or goes to, elsewhere."""

import re
import tomllib
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "Doorward"
version = release = PACKAGE["version"]
language = "en"

extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["site", "decisions/0000-template.md", "leaks"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
nitpicky = True
# A fence without a language, or with a bit of output in it, is text.
highlight_language = "text"
suppress_warnings = ["misc.highlighting_failure", "myst.header"]

html_theme = "basic"
html_title = "Doorward"
templates_path = ["templates"]
html_static_path = ["site.css", "../../src/doorward/web/static/tokens.css", "../../src/doorward/web/static/favicon.svg"]
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_domain_indices = False
html_permalinks = False

REST = "<!-- the pages that no list above names -->"


def complete(app: Sphinx, name: str, source: list[str]) -> None:
    """Put every page that no list of the front page names into its last one: none can be forgotten."""
    if name != root_doc:
        return
    listed = set(re.findall(r"^(?:[^\n<]*<)?([\w./-]+)>?$", source[0], re.MULTILINE))
    folders = ("decisions/",)
    rest = sorted(each for each in app.env.found_docs - listed - {root_doc} if not each.startswith(folders))
    source[0] = source[0].replace(REST, "\n".join(rest))


def reachable(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """Let the keyboard scroll what is wider than the column."""
    if "body" in context:
        body = context["body"].replace("<pre>", '<pre tabindex="0">')
        context["body"] = body.replace('<table class="docutils', '<table tabindex="0" class="docutils')


def setup(app: Sphinx) -> None:
    """Join Sphinx."""
    app.connect("source-read", complete)
    app.connect("html-page-context", reachable)
