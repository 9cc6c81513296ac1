"""What may be declared of other systems whose bearers are taken (C9)."""

from pathlib import Path

import pytest

from doorward.bootstrap.external import external_bearers
from doorward.model import Instant
from doorward.settings import SettingsError, load

GOOD = """
[external_bearers.crm]
prefix = "crm_"
kind = "profile"
url = "https://api.crm.example/me"
tenant_field = "account.slug"
scope_field = "permissions"
scope_map = { read = "documents:read projects:read" }
"""


def declared(tmp_path: Path, text: str) -> object:
    config = tmp_path / "doorward.toml"
    config.write_text(text)
    return external_bearers(load(config), lambda: Instant(0))


def test_C9_systems_are_known_by_their_prefix_and_none_is_declared_at_first(tmp_path: Path) -> None:
    assert declared(tmp_path, "") is None
    secret = tmp_path / "secret"
    secret.write_text("s\n")
    more = f"""
[external_bearers.hosting]
prefix = "mw_"
url = "https://api.hosting.example/introspect"
client_secret_file = "{secret}"
tenant = "acme"
scopes = ["documents:read"]
"""
    found = declared(tmp_path, GOOD + more)
    assert found is not None
    crm, hosting = found.system("crm_x"), found.system("mw_x")  # type: ignore[attr-defined]
    assert crm.scope_map == {"read": {"documents:read", "projects:read"}}
    assert (hosting.introspects, hosting.client_secret, hosting.trust_email) == (True, "s", False)
    assert found.system("dw_x") is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"crm_"', '"dw_"', "credentials of this server begin so"),
        ('"crm_"', '"eyJ"', "signed tokens begin so"),
        ('"crm_"', '""', "shorter than 3"),
        ('"profile"', '"magic"', "write kind"),
        ("https://api", "http://api", "https url"),
        ("https://api.crm.example", "https://127.0.0.1", "https url"),
        ('tenant_field = "account.slug"', "", "either tenant or tenant_field"),
        ('scope_field = "permissions"', "", "either scopes or scope_field"),
        ("prefix", "prefixes", "unknown key"),
        ('kind = "profile"', 'client_secret_file = "/nowhere/at/all"', "cannot be read"),
        ('"crm_"', '"crm_"\n[external_bearers.two]\nprefix = "crm_a"', "Choose another|either|kind"),
    ],
)
def test_C9_what_could_be_confused_or_is_not_clear_is_refused_at_start(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        declared(tmp_path, GOOD.replace(old, new, 1))
