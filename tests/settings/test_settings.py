"""The configuration file: what is wrong is named, and what is not safe is refused at the start."""

from pathlib import Path

import pytest

from doorward.settings import SettingsError, load


def configured(folder: Path, text: str) -> Path:
    path = folder / "doorward.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_has_a_default(tmp_path: Path) -> None:
    settings = load(configured(tmp_path, ""))
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.data_dir == tmp_path / "doorward-data"
    assert settings.database_url == f"sqlite:///{tmp_path}/doorward-data/doorward.db"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1", "colour"),
        ("[server]\nhots = 'x'", "server.hots"),
        ("[server]\nport = 'x'", "server.port"),
        ("[server]\nport = true", "server.port"),
        ("server = 1", "server"),
        ("[server]\nallowed_origins = [1]", "server.allowed_origins"),
        ("[tokens]\ncode_ttl = 601", "tokens.code_ttl"),
        ("[registration]\npolicy = 'maybe'", "registration.policy"),
        ("[approvals]\nttl = 29", "approvals.ttl"),
        ("[approvals]\nttl = 86401", "approvals.ttl"),
        ("[approvals]\nwaiting = 0", "approvals.waiting"),
        ("[cimd]\npolicy = 'maybe'", "cimd.policy"),
        ("[server]\ntrusted_proxies = ['the proxy']", "server.trusted_proxies"),
        ("[server]\ntrusted_proxies = ['10.0.0.0/8', '::/0']", "server.trusted_proxies"),
        ("[cimd]\nallow_loopback = true\n[server]\npublic_url = 'https://mcp.example.com'", "cimd.allow_loopback"),
        ("[rates]\nuser_per_day = -1", "rates.user_per_day"),
        ("[rates]\nnodes = 0", "rates.nodes"),
        ("[api_keys]\nprefix = 'dwr'", "api_keys.prefix"),
        ("[api_keys]\nprefix = 'a-b'", "api_keys.prefix"),
        ("not toml", "doorward.toml"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(configured(tmp_path, text))
    assert named in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.requirement("spec/AS11")
@pytest.mark.parametrize("url", ["http://mcp.example.com", "http://192.0.2.1:8080", "http://localhost.example.com"])
def test_plain_http_is_for_loopback_only(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="loopback"):
        load(configured(tmp_path, f"[server]\npublic_url = '{url}'"))


@pytest.mark.parametrize(
    "url", ["mcp.example.com", "https://mcp.example.com/", "https://mcp.example.com/base", "ftp://x", "https://x?y"]
)
def test_the_public_url_is_an_origin(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="public_url"):
        load(configured(tmp_path, f"[server]\npublic_url = '{url}'"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nothing"):
        load(tmp_path / "nothing.toml")


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    text = "data_dir = 'data'\n[cimd.pinned]\n'https://client.example/c.json' = 'pinned/c.json'"
    settings = load(configured(tmp_path, text))
    assert settings.data_dir == tmp_path / "data"
    assert settings.cimd.pinned == {"https://client.example/c.json": str(tmp_path / "pinned" / "c.json")}
