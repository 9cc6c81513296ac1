"""The command line as a whole: help, wrong usage, and how it fails."""

import subprocess
import sys
import time

import click
import pytest
from tests.cli.commands import Commands, failed

from doorward.cli.errors import report
from doorward.cli.main import COMMANDS
from doorward.storage.database import Conflict, StorageUnavailable

ALL = [(), *((name,) for name in COMMANDS), ("token", "create"), ("token", "revoke")]


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(commands: Commands, command: tuple[str, ...]) -> None:
    done = commands.bare(*command, "--help")
    assert done.exit_code == 0
    assert command == ("token",) or "Example:" in done.stdout


def test_help_loads_no_command() -> None:
    code = "import sys, doorward.cli.main; print(*[m for m in sys.modules if m.startswith(('doorward.cli', 'sqlalchemy'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["doorward.cli", "doorward.cli.errors", "doorward.cli.loading", "doorward.cli.main"]


def test_a_start_loads_nothing_that_only_some_deployments_use() -> None:
    spared = ("webauthn", "yaml", "psycopg", "sqlalchemy.dialects.postgresql", "alembic", "redis")
    code = f"import sys, doorward.bootstrap.program; print(*[m for m in sys.modules if m in {spared}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_loading_looks_for_no_garbage_and_walks_what_is_loaded_never_again() -> None:
    code = (
        "import gc\nfrom doorward.cli.loading import loading\nbefore = gc.get_freeze_count()\n"
        "with loading():\n    within = gc.isenabled()\n    import doorward.settings\n"
        "print(within, gc.isenabled(), gc.get_freeze_count() > before + 1000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]


def test_the_program_answers_in_a_process_of_its_own() -> None:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "doorward.cli.main", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("doorward ")
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("applause",), "No such command 'applause'"),
        (("apply",), "Missing option '-f'"),
        (("apply", "-f"), "requires an argument"),
        (("token", "create"), "Missing option '--user'"),
        (("token", "revoke"), "Missing argument 'ID'"),
        (("serve", "--port", "70000"), "70000 is not in the range"),
        (("init", "--nonsense"), "No such option"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(commands: Commands, arguments: tuple[str, ...], words: str) -> None:
    line = failed(commands.bare(*arguments), 2)
    assert words in line
    assert "--help`." in line


@pytest.mark.parametrize(
    "arguments", [("token", "revoke", "x"), ("token", "create", "--user", "a@b.example"), ("apply", "-f", "team.json")]
)
def test_a_data_directory_that_is_none_is_named_with_the_fix(commands: Commands, arguments: tuple[str, ...]) -> None:
    (commands.folder / "team.json").write_text("{}", encoding="utf-8")
    assert "Run `doorward init`" in failed(commands.run(*arguments))
    assert not commands.data.exists()


def test_a_broken_configuration_names_its_key(commands: Commands) -> None:
    config = commands.folder / "doorward.toml"
    config.write_text("[server]\nprot = 80\n", encoding="utf-8")
    assert "server.prot: unknown key" in failed(commands.bare("token", "revoke", "x"))
    config.write_text("[", encoding="utf-8")
    assert "not TOML" in failed(commands.bare("token", "revoke", "x"))
    assert "cannot be read" in failed(commands.bare("token", "revoke", "x", "--config", "none.toml"))


def test_no_command_at_all_shows_the_help(commands: Commands) -> None:
    done = commands.bare()
    assert done.exit_code == 2
    assert "Commands:" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (
            StorageUnavailable("disk full at /secret"),
            "error: the database does not answer. Check its disk and its server.\n",
        ),
        (Conflict("row x"), "error: somebody changed the same thing meanwhile. Run the command again.\n"),
        (
            PermissionError(13, "Permission denied", "/x"),
            "error: /x: Permission denied. Check the path and who may use it.\n",
        ),
        (click.Abort(), "error: stopped. Nothing was changed.\n"),
        (
            KeyError("secret"),
            "error: a fault of ours (KeyError). Set DOORWARD_TRACEBACK=1 to see where, and report it.\n",
        ),
    ],
)
def test_every_fault_is_one_line_without_private_words(
    wrong: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(wrong) == 1
    assert capsys.readouterr().err == line


def test_whoever_asks_sees_where_a_fault_of_ours_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOORWARD_TRACEBACK", "1")
    assert report(KeyError("x")) == 1
    assert "KeyError: 'x'" in capsys.readouterr().err
