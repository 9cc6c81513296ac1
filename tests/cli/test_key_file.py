"""The key file: no command runs with a placeholder, and nobody else reads what stands beside it (security N2, N6, N17)."""

import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.commands import Commands, failed

from support.running_demo import free_port

PLACEHOLDERS = {
    "empty": "", "changeme": "changeme", "a word of the right length": "changeme" * 8, "zeros": "0" * 64,
    "one byte": "ab" * 32, "two bytes": "abcd" * 16, "short": "0123456789abcdef" * 3, "long": "0123456789abcdef" * 5,
    "no text": "\xff" * 32, "a default": "00112233" * 8,
}  # fmt: skip
COMMANDS = [
    ("serve", "--port", "65535"),
    ("token", "create", "--user", "ines@acme.example"),
    ("user", "list"),
    ("keys", "list"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("key", PLACEHOLDERS.values(), ids=PLACEHOLDERS.keys())
def test_N2_no_command_runs_with_a_placeholder_for_a_key(team: Commands, key: str, command: tuple[str, ...]) -> None:
    path = team.data / "doorward.key"
    path.write_text(key, encoding="latin-1")
    path.chmod(0o600)
    said = failed(team.run(*command))
    assert "doorward.key" in said
    assert key not in said or not key


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_N2_a_key_that_others_can_read_is_refused(team: Commands, command: tuple[str, ...]) -> None:
    (team.data / "doorward.key").chmod(0o644)
    assert "chmod 600" in failed(team.run(*command))


def test_N6_the_key_of_another_deployment_opens_nothing(team: Commands, commands: Commands) -> None:
    staging = Commands(commands.folder / "staging")
    staging.folder.mkdir()
    assert staging.init().exit_code == 0
    shutil.copy(staging.data / "doorward.key", team.data / "doorward.key")
    for command in COMMANDS:
        assert "belongs to another database" in failed(team.run(*command))


def others_may(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO))


def test_N17_whatever_the_umask_nobody_else_reads_data_or_keys(tmp_path: Path) -> None:
    program, data, port = [sys.executable, "-m", "doorward.cli.main"], tmp_path / "data", free_port()
    made = subprocess.run(
        [*program, "init", "--data", str(data), "--config", str(tmp_path / "doorward.toml")],
        umask=0, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "KEY" not in made.stdout
    command = [*program, "serve", "--data", str(data), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, umask=0) as process:
        assert process.stderr is not None
        assert any("serving" in line for line in iter(process.stderr.readline, ""))
        found = sorted(path for path in data.rglob("*") if path.is_file())
        names = {path.name for path in found}
        assert {"doorward.db", "doorward.db-wal", "doorward.key"} <= names
        assert [path.name for path in [data, *found] if others_may(path)] == []
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode().split("\0")
        environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        key = (data / "doorward.key").read_text(encoding="ascii").strip()
        assert key not in arguments
        assert key.encode() not in environment
        process.send_signal(signal.SIGABRT)
        said, logged = process.communicate(timeout=20)
    assert key not in said + logged, "not even where it crashes"
    assert process.returncode != 0
