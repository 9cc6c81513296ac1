"""Pages obey the content security policy by construction, and call nobody else."""

import re

import pytest

from support.tree import ROOT, SOURCE, text

TEMPLATES = sorted(SOURCE.rglob("*.html"))
STYLES = sorted(SOURCE.rglob("*.css"))
SCRIPTS = sorted(path for path in SOURCE.rglob("*.js") if path.name != "uplot.js")  # as published

INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>", re.IGNORECASE)
INLINE_STYLE = re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE)
HANDLER = re.compile(r"<[^>]*\son[a-z]+\s*=|javascript:", re.IGNORECASE)
FOREIGN = re.compile(r"""(?:src|href|action|srcset)\s*=\s*["']?(?:https?:)?//""", re.IGNORECASE)
DATA_URL = re.compile(r"""(?:src|href)\s*=\s*["']?data:|url\(\s*["']?data:""", re.IGNORECASE)
UNESCAPED = re.compile(r"\|\s*safe\b|autoescape\s+false", re.IGNORECASE)


def names(found: list[str]) -> list[str]:
    return [name.removeprefix(f"{ROOT}/") for name in found]


MAY_NOT_ESCAPE = {"icons.html": "a table of our own SVG paths, that no value reaches"}


def test_no_two_templates_share_a_name() -> None:
    """They are looked for by name in all packages: of two, one page would be shown in place of another."""
    found = [path.name for path in TEMPLATES]
    assert len(found) == len(set(found)), sorted({name for name in found if found.count(name) > 1})


def test_values_are_escaped() -> None:
    found = {path.name for path in TEMPLATES if UNESCAPED.search(text(path))}
    assert found <= MAY_NOT_ESCAPE.keys()


@pytest.mark.parametrize("rule", [INLINE_SCRIPT, INLINE_STYLE, HANDLER, FOREIGN, DATA_URL])
def test_no_template_has_what_the_policy_refuses(rule: re.Pattern[str]) -> None:
    assert not names([str(path) for path in TEMPLATES if rule.search(text(path))])


def test_stylesheets_and_scripts_call_nobody_else() -> None:
    foreign = re.compile(r"@import|https?://(?!www\.w3\.org)|url\(\s*[\"']?(?:https?:)?//", re.IGNORECASE)
    assert not names([str(path) for path in [*STYLES, *SCRIPTS] if foreign.search(text(path))])


def test_scripts_run_no_text() -> None:
    assert not names([str(path) for path in SCRIPTS if re.search(r"\beval\(|new Function|innerHTML", text(path))])


POSTS = re.compile(r"""<form\b[^>]*method="post"[^>]*>\s*(<input[^>]*>)?""")
SAYS_TO_WHOM = '<input type="hidden" name="shown_to" value="{{ shown_to }}">'
SAYS_MORE = {"kept_form.html": '<input type="hidden" name="kept" value="{{ kept }}">'}
FOR_WHOEVER_IS_THERE = {'<form method="post" action="/sign-out">'}


@pytest.mark.requirement("M5")
def test_every_form_behind_a_session_says_to_whom_it_was_shown() -> None:
    """Another person may be signed in in that browser when it is sent."""
    behind = [path for path in TEMPLATES if path.parent.parent.name == "dashboard" or path.name == "shell.html"]
    found = 0
    for path in behind:
        for form in POSTS.finditer(text(path)):
            if form[0].strip().partition("\n")[0] in FOR_WHOEVER_IS_THERE:
                continue
            assert form[1] == SAYS_MORE.get(path.name, SAYS_TO_WHOM), (path.name, form[0])
            found += 1
    assert found > 60
