"""The directory of a demonstration: what is kept in it, and which directories are refused."""

import json
from pathlib import Path

import pytest

from doorward.demo.memory import FILE, Memory, NotOurs, recall, remember


def test_what_is_remembered_comes_back(tmp_path: Path) -> None:
    memory = Memory(server="harbour", passwords={"a@b.example": "x"}, keys={"k": "dw_1"})
    remember(tmp_path, memory)
    assert recall(tmp_path) == memory


def test_only_the_owner_can_read_it_and_it_says_what_it_is(tmp_path: Path) -> None:
    remember(tmp_path, Memory(passwords={"a@b.example": "secret"}))
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert "Whoever reads this file can sign in" in json.loads((tmp_path / FILE).read_text())["about"]
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_a_new_directory_remembers_nothing(tmp_path: Path) -> None:
    assert recall(tmp_path) == Memory()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"server": 1}', '{"server": null, "passwords": 1, "keys": {}}'])
def test_a_damaged_file_is_refused_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(NotOurs, match="damaged"):
        recall(tmp_path)


@pytest.mark.parametrize("name", ["doorward.db", "doorward.key"])
def test_a_real_deployment_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(NotOurs, match="no demonstration"):
        recall(tmp_path)
