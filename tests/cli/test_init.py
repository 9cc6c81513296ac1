"""``doorward init``."""

import tomllib

from tests.cli.commands import Commands, failed

from doorward.settings import load


def test_init_writes_a_configuration_that_is_the_defaults(commands: Commands) -> None:
    done = commands.bare("init")
    assert done.exit_code == 0, done.output
    config = commands.folder / "doorward.toml"
    text = config.read_text(encoding="utf-8")
    assert tomllib.loads(text)["data_dir"] == "doorward-data"
    assert load(config) == load(data_dir=commands.folder / "doorward-data")
    assert (commands.folder / "doorward-data" / "doorward.db").exists()
    assert (commands.folder / "doorward-data" / "doorward.key").stat().st_mode & 0o777 == 0o600


def test_every_default_that_init_shows_is_the_default(commands: Commands) -> None:
    commands.bare("init", "--public-url", "https://mcp.example.com")
    config = commands.folder / "doorward.toml"
    text = config.read_text(encoding="utf-8")
    assert 'public_url = "https://mcp.example.com"' in text
    shown = [line for line in text.splitlines() if line.startswith("#") and not line.startswith("# ")]
    assert len(shown) == len([line for line in text.splitlines() if " = " in line and not line.startswith("# ")]) - 2
    spelled_out = "\n".join(line[1:] if line in shown else line for line in text.splitlines())
    config.write_text(spelled_out, encoding="utf-8")
    in_full = load(config)
    config.write_text(text, encoding="utf-8")
    assert in_full == load(config)


def test_init_overwrites_nothing(commands: Commands) -> None:
    config = commands.folder / "doorward.toml"
    config.write_text("# mine\n", encoding="utf-8")
    assert "is there already" in failed(commands.bare("init"))
    assert config.read_text(encoding="utf-8") == "# mine\n"
    assert not (commands.folder / "doorward-data").exists()


def test_init_keeps_the_keys_of_a_data_directory(commands: Commands) -> None:
    commands.init()
    key = (commands.data / "doorward.key").read_bytes()
    (commands.folder / "doorward.toml").unlink()
    assert commands.init().exit_code == 0
    assert (commands.data / "doorward.key").read_bytes() == key


def test_init_that_fails_leaves_no_configuration(commands: Commands) -> None:
    assert "server.public_url: http works on loopback only" in failed(
        commands.bare("init", "--public-url", "http://x.example")
    )
    assert not (commands.folder / "doorward.toml").exists()
    commands.data.write_text("a file", encoding="utf-8")
    assert commands.init().exit_code == 2
    assert not (commands.folder / "doorward.toml").exists()


def test_the_configuration_here_is_used_without_saying_so(commands: Commands) -> None:
    commands.bare("init")
    (commands.folder / "team.json").write_text("{}", encoding="utf-8")
    assert commands.bare("apply", "-f", "team.json").stdout == "Nothing to change.\n"
