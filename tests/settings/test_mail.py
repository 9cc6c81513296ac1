"""What mail can be set up as, and what is refused before anything is sent."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from doorward.bootstrap.mail import check, transport_of
from doorward.mail.transport import Console, Smtp, Tls
from doorward.settings import MailSettings, ServerSettings, Settings, SettingsError, load

GOOD: dict[str, Any] = {"mode": "smtp", "host": "smtp.example.com", "sender": "Doorward <door@example.com>"}


def settings(public_url: str = "https://mcp.example.com", **mail: Any) -> Settings:
    return replace(Settings(), server=ServerSettings(public_url=public_url), mail=MailSettings(**mail))


@pytest.mark.parametrize(
    "mail",
    [{}, GOOD, GOOD | {"tls": "none", "host": "127.0.0.1"}, GOOD | {"username": "door", "password_file": "x"},
     GOOD | {"sign_in_links": True}],
)  # fmt: skip
def test_what_can_work_is_taken(mail: dict[str, Any]) -> None:
    check(settings(**mail))


@pytest.mark.parametrize(
    ("mail", "key"),
    [
        ({"mode": "sendmail"}, "mail"),
        ({"mode": "console"}, "mail.mode"),
        ({"sign_in_links": True}, "mail.sign_in_links"),
        (GOOD | {"tls": "perhaps"}, "mail"),
        (GOOD | {"tls": "none"}, "mail.tls"),
        (GOOD | {"host": ""}, "mail"),
        (GOOD | {"username": "door"}, "mail"),
        (GOOD | {"password_file": "x"}, "mail"),
        (GOOD | {"port": 0}, "mail"),
        (GOOD | {"per_hour": 0}, "mail"),
        (GOOD | {"sender": "door@example.com, eve@evil.example"}, "mail.sender"),
        (GOOD | {"sender": "door@example.com\r\nBcc: eve@evil.example"}, "mail.sender"),
    ],
)
def test_what_cannot_work_or_is_not_safe_names_its_key(mail: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError, match=f"^{key}:"):
        check(settings(**mail))


def test_the_console_is_for_loopback() -> None:
    check(settings("http://127.0.0.1:8080", mode="console"))
    assert isinstance(transport_of(MailSettings(mode="console"), hostname="localhost"), Console)


def test_files_are_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" a password\n", encoding="utf-8")
    lines = [*(f'{name} = "{value}"' for name, value in GOOD.items()), 'username = "door"', 'password_file = "secret"']
    (tmp_path / "doorward.toml").write_text("[mail]\n" + "\n".join(lines), encoding="utf-8")
    way = transport_of(load(tmp_path / "doorward.toml").mail, hostname="mcp.example.com")
    assert isinstance(way, Smtp)
    assert (way.password, way.tls, way.port) == ("a password", Tls.STARTTLS, 587)


@pytest.mark.parametrize("name", ["password_file", "ca_file"])
def test_a_file_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^mail.{name}:"):
        transport_of(MailSettings(**GOOD, **{name: "/nowhere"}), hostname="localhost")
