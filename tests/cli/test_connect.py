"""``doorward connect``: what is printed, and what happens to a person's own files."""

import json
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.cli.commands import Commands, failed

from doorward.clients.guides import guides

URL = "https://mcp.acme.example/acme/mcp"
KEY = "dw_" + "k" * 40


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def written(commands: Commands, client: str, *more: str, url: str = URL) -> str:
    done = commands.bare("connect", client, "--url", url, "--name", "wiki", "--write", *more)
    assert done.exit_code == 0, done.output
    return done.stdout


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.backup-*"))


@pytest.mark.requirement("A5")
def test_the_clients_are_listed_and_each_is_explained_with_the_url(commands: Commands) -> None:
    listed = commands.bare("connect").stdout
    for guide in guides().values():
        assert f"{guide.id} " in listed
        for way in guide.steps:
            flags = ["--key"] if way == "key" else []
            shown = commands.bare("connect", guide.id, "--url", URL, *flags)
            assert shown.exit_code == 0, shown.output
            assert URL in shown.stdout, guide.id
            assert shown.stdout.count("\n1. ") == 1
            assert "Call whoami on doorward" in shown.stdout


@pytest.mark.requirement("A5")
def test_beside_the_server_the_tenants_own_url_is_found(team: Commands) -> None:
    done = team.run("connect", "claude-code", "--tenant", "acme")
    assert "claude mcp add --transport http wiki \\\n       http://127.0.0.1:8080/acme/mcp\n" in done.stdout
    assert "which tenant? Name it with --tenant" in failed(team.run("connect", "claude-code"))
    assert "globex has no such server. It has: none." in failed(team.run("connect", "codex", "--tenant", "globex"))
    assert "It has: wiki." in failed(team.run("connect", "codex", "--tenant", "acme", "--server", "x"))
    assert "there is no tenant 'nope'" in failed(team.run("connect", "codex", "--tenant", "nope"))


def test_what_cannot_be_done_is_said_in_one_line(commands: Commands) -> None:
    assert "there is no client 'emacs'. Known here: claude" in failed(commands.bare("connect", "emacs"))
    assert "cannot send a key" in failed(commands.bare("connect", "chatgpt", "--url", URL, "--key"))
    assert "Add --key." in failed(commands.bare("connect", "curl", "--url", URL))
    assert "has no configuration file" in failed(commands.bare("connect", "claude", "--url", URL, "--write"))
    assert "--file" in failed(commands.bare("connect", "jetbrains", "--url", URL, "--write"))
    for bad in ("javascript:alert(1)", 'https://a"b', "https://a/$(id)", "https://a/b c", "https://a/`id`"):
        assert "does not fit" in failed(commands.bare("connect", "codex", "--url", bad))
    for name in ("a b", "$(id)", 'a"', "a\nb", "../x"):
        assert "does not fit" in failed(commands.bare("connect", "codex", "--url", URL, f"--name={name}"))
    assert "does not fit" in failed(commands.bare("connect", "codex", "--url", URL, "--key-env", "a;b"))


def test_a_file_that_is_not_there_is_made_for_its_owner_only(commands: Commands, home: Path) -> None:
    assert "is in" in written(commands, "cursor", "--key")
    path = home / ".cursor" / "mcp.json"
    assert mode(path) == 0o600
    assert json.loads(path.read_text()) == {
        "mcpServers": {"wiki": {"url": URL, "headers": {"Authorization": "Bearer ${env:DOORWARD_KEY}"}}}
    }
    assert backups(path) == []


@pytest.mark.requirement("A5")
def test_what_a_person_wrote_stays_byte_for_byte_and_a_copy_is_kept(commands: Commands, home: Path) -> None:
    path = home / ".cursor" / "mcp.json"
    path.parent.mkdir(parents=True)
    before = (
        '{\n    // mine\n    "mcpServers": {\n        "other": {"url": "y"}, // keep\n    },\n    "more": [1,2]\n}\n'
    )
    path.write_text(before)
    path.chmod(0o640)
    said = written(commands, "cursor")
    [copy] = backups(path)
    assert str(copy) in said
    assert copy.read_text() == before
    assert mode(path) == mode(copy) == 0o640
    after = path.read_text()
    added = '\n        "wiki": {\n          "url": "https://mcp.acme.example/acme/mcp"\n        },'
    assert after.replace(added, "") == before
    assert "stands in" in written(commands, "cursor")
    assert path.read_text() == after
    assert len(backups(path)) == 1, "nothing was changed, so there is nothing to keep"


def test_another_way_replaces_only_what_is_ours(commands: Commands, home: Path) -> None:
    path = home / ".gemini" / "settings.json"
    written(commands, "gemini-cli", "--key")
    found = json.loads(path.read_text())
    found["mcpServers"]["wiki"]["timeout"] = 5000
    path.write_text(json.dumps(found))
    written(commands, "gemini-cli", url=f"{URL}2")
    assert json.loads(path.read_text())["mcpServers"]["wiki"] == {"httpUrl": f"{URL}2", "timeout": 5000}


def test_the_toml_of_codex_keeps_its_comments_and_other_tables(commands: Commands, home: Path) -> None:
    path = home / ".codex" / "config.toml"
    path.parent.mkdir(parents=True)
    before = 'model = "gpt" # mine\n\n[mcp_servers.other]\nurl = "y"\n# end\n'
    path.write_text(before)
    written(commands, "codex", "--key-env", "ACME_KEY")
    after = path.read_text()
    assert after.startswith(before)
    assert tomllib.loads(after)["mcp_servers"]["wiki"] == {"url": URL, "bearer_token_env_var": "ACME_KEY"}
    path.write_text(after.replace("[mcp_servers.wiki]", "[mcp_servers.wiki]\n# note\nstartup_timeout_sec = 20"))
    written(commands, "codex")
    assert tomllib.loads(path.read_text())["mcp_servers"]["wiki"] == {"url": URL, "startup_timeout_sec": 20}
    assert "# note" in path.read_text()


def test_vs_code_gets_the_question_for_the_key_once(commands: Commands, home: Path) -> None:
    path = Path(".vscode/mcp.json")
    for _ in range(2):
        written(commands, "vscode", "--key", "--project")
    found: dict[str, Any] = json.loads(path.read_text())
    assert [each["id"] for each in found["inputs"]] == ["wiki-key"]
    assert found["servers"]["wiki"]["headers"] == {"Authorization": "Bearer ${input:wiki-key}"}


@pytest.mark.parametrize(
    ("client", "text"),
    [
        ("cursor", "{"),
        ("cursor", "[]"),
        ("cursor", '{"mcpServers": []}'),
        ("cursor", '{"mcpServers": {}, "mcpServers": {}}'),
        ("cursor", '{"a": 1 "b": 2}'),
        ("cursor", "{} x"),
        ("cursor", '{"a": ' + "[" * 5000 + "]" * 5000 + "}"),
        ("cursor", '{"a": 01}'),
        ("codex", "a = "),
        ("codex", 'mcp_servers = {wiki = {url = "y"}}'),
        ("codex", 'mcp_servers.wiki.url = "y"'),
        ("codex", "mcp_servers = 3"),
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_left_as_it_is(
    commands: Commands, home: Path, client: str, text: str
) -> None:
    path = home / "file"
    home.mkdir()
    path.write_text(text)
    done = commands.bare("connect", client, "--url", URL, "--name", "wiki", "--write", "--file", str(path))
    assert "Nothing was changed" in failed(done)
    assert path.read_text() == text
    assert backups(path) == []


@pytest.mark.requirement("A5")
def test_a_key_is_never_printed_and_never_written_where_others_can_read_it(commands: Commands, home: Path) -> None:
    home.mkdir()
    secret, path = home / "key", home / "mcp.json"
    secret.write_text(f"{KEY}\n")
    flags = ("connect", "jetbrains", "--url", URL, "--key-file", str(secret))
    assert "add --write" in failed(commands.bare(*flags))
    path.write_text("{}")
    path.chmod(0o644)
    assert "chmod 600" in failed(commands.bare(*flags, "--write", "--file", str(path)))
    assert path.read_text() == "{}"
    path.chmod(0o600)
    done = commands.bare(*flags, "--write", "--file", str(path))
    assert done.exit_code == 0
    assert KEY not in done.output
    assert KEY in path.read_text()
    assert mode(path) == 0o600
    assert all(mode(copy) == 0o600 for copy in backups(path))
    assert "reads the key from elsewhere" in failed(
        commands.bare("connect", "cursor", "--url", URL, "--key-file", str(secret), "--write")
    )
    secret.write_text('x"y')
    assert "Put the key alone into it" in failed(commands.bare(*flags, "--write", "--file", str(path)))


def test_a_link_to_a_file_elsewhere_stays_a_link(commands: Commands, home: Path) -> None:
    real = home / "dotfiles" / "mcp.json"
    real.parent.mkdir(parents=True)
    real.write_text("{}")
    (home / ".cursor").mkdir()
    (home / ".cursor" / "mcp.json").symlink_to(real)
    written(commands, "cursor")
    assert (home / ".cursor" / "mcp.json").is_symlink()
    assert "wiki" in real.read_text()


def test_what_is_no_text_is_not_touched(commands: Commands, home: Path) -> None:
    home.mkdir()
    path = home / "binary"
    path.write_bytes(b"\xff\xfe{}")
    assert "UTF-8" in failed(commands.bare("connect", "cursor", "--url", URL, "--write", "--file", str(path)))
    (home / "pipe").symlink_to("/dev/null")
    assert "not a file" in failed(
        commands.bare("connect", "cursor", "--url", URL, "--write", "--file", str(home / "pipe"))
    )
    assert path.read_bytes() == b"\xff\xfe{}"
