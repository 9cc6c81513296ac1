"""What may not stand in any file of the repository."""

import re

import pytest

from support.tree import ROOT, SOURCE, modules, text, tracked

# Written in parts, so that this file does not find itself.
_DOT = re.escape(".")
MACHINE = re.compile(
    "|".join(f"/{name}/" for name in ("wo" + "rk", "fa" + "rm", "r" + "oot", "Users", "opt/" + "wheels"))
)
REGISTRIES = re.compile(
    "|".join(
        _DOT.join(parts)
        for parts in (
            ("py" + "pi", "org"), ("python" + "hosted", "org"), ("registry", "npm" + "js"), ("deb", "deb" + "ian", "org"),
        )
    )
)  # fmt: skip
INDEXES = re.compile(r"--(extra-)?index-url|--find-links|file://|\"resolved\"")
PROMISES = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b")
WORDS = ("LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", ".ci/run")

NPM_FOLDERS = ("tests/clients", "tests/clients/vendors", "bench/peers")
needs_git = pytest.mark.skipif(not tracked(), reason="not a clone: no list of tracked files")


@needs_git
def test_no_file_names_a_path_of_one_machine() -> None:
    assert not [str(path) for path in tracked() if MACHINE.search(text(path))]


@needs_git
def test_no_file_names_a_registry() -> None:
    assert not [str(path) for path in tracked() if REGISTRIES.search(text(path))]


def test_pins_have_hashes_and_no_addresses() -> None:
    locks = [ROOT / folder / "package-lock.json" for folder in NPM_FOLDERS]
    pins = [*(ROOT / "requirements").glob("*.txt"), *locks]
    assert len(pins) == 8
    for path in pins:
        assert not INDEXES.search(text(path)), path
    for path in pins[: -len(locks)]:
        entries = [line for line in text(path).splitlines() if line and not line.startswith((" ", "#"))]
        assert all("==" in line and line.endswith("\\") for line in entries), path


def test_nothing_is_left_for_later_in_the_source() -> None:
    assert not [name for name, _ in modules(SOURCE) if PROMISES.search(text(ROOT / name))]


@pytest.mark.parametrize("name", WORDS)
def test_what_a_stranger_looks_for_is_there(name: str) -> None:
    assert text(ROOT / name).strip()


def test_ci_calls_what_the_readme_tells_a_person_to_call() -> None:
    commands = re.findall(r"^make \w+", text(ROOT / ".ci" / "run"), re.MULTILINE)
    assert commands == ["make check", "make test"]
    readme = text(ROOT / "README.md")
    assert all(command in readme for command in ("make demo", *commands))
