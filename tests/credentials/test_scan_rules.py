"""What is given to scanners finds every key that can be made, of the prefix that is configured, and little else."""

import re
import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from doorward.credentials import scan_rules, secret
from doorward.credentials.secret import SecretKind
from support.tree import ROOT

pytestmark = pytest.mark.requirement("C3")
OTHERS = (
    "AKIAIOSFODNN7EXAMPLE", "ghp_" + "a1" * 18, "github_pat_" + "A1" * 41, "sk-" + "a1" * 24, "sk_live_" + "a1" * 12,
    "xoxb-1234567890-abcdefghij", "pypi-" + "A1" * 80, "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0." + "a1" * 43,
    "550e8400-e29b-41d4-a716-446655440000", "sha256:" + "ab" * 32, "sha512-" + "A1" * 43 + "==", "dw_", "dw_module_name",
    "dw_" + "a" * 61, "dw_" + "a" * 63, "pdw_" + "a" * 62, "dw_" + "a" * 30 + "-" + "a" * 31, "DW_" + "A" * 62,
    "dwc_" + "a" * 49, "-----BEGIN PRIVATE KEY-----",
)  # fmt: skip


def patterns(prefix: str) -> list[str]:
    return [rule["regex"] for rule in tomllib.loads(scan_rules.gitleaks(prefix))["rules"]]


@given(st.from_regex(r"[a-z0-9]{2,8}", fullmatch=True), st.binary(min_size=41, max_size=41))
def test_I1_every_key_of_the_prefix_is_found_wherever_it_stands(prefix: str, raw: bytes) -> None:
    key, _ = secret.mint_api_key(prefix, lambda count: raw[:count])
    key_pattern = patterns(prefix)[0]
    for text in (
        key,
        f'"{key}"',
        f"KEY={key}\n",
        f"Authorization: Bearer {key},",
        f"https://x/?k={key}&y",
        f"({key}).",
    ):
        found = re.findall(key_pattern, text)
        assert found == [key]
    keywords = [word for rule in tomllib.loads(scan_rules.gitleaks(prefix))["rules"] for word in rule["keywords"]]
    assert f"{prefix}_" in keywords


@pytest.mark.parametrize("kind", [SecretKind.REFRESH_TOKEN, SecretKind.CLIENT_SECRET, SecretKind.REGISTRATION])
def test_I1_other_secrets_that_are_good_for_long_are_found_too(kind: SecretKind) -> None:
    text = secret.mint(kind, lambda count: bytes(range(count)))
    assert re.findall(patterns("dw")[1], f"x='{text}'") == [text]


@pytest.mark.parametrize("text", OTHERS)
def test_I1_what_is_no_secret_of_ours_is_left_alone(text: str) -> None:
    assert not [pattern for pattern in patterns("dw") if re.search(pattern, f" {text} ")]


def test_both_tools_get_the_same_rules_and_the_files_are_those_of_this_commit() -> None:
    detectors = yaml.safe_load(scan_rules.trufflehog("dw"))["detectors"]
    assert [pattern for each in detectors for pattern in each["regex"].values()] == patterns("dw")
    for name, rules in (("gitleaks.toml", scan_rules.gitleaks), ("trufflehog.yaml", scan_rules.trufflehog)):
        assert (ROOT / "docs" / "leaks" / name).read_text(encoding="utf-8") == rules("dw"), name


def test_nothing_of_this_repository_s_sources_is_taken_for_a_key() -> None:
    """A test that shows a whole key makes it: a scanner would stop at one that is written down."""
    found = [
        str(path.relative_to(ROOT))
        for folder in ("src", "docs", "examples")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".html", ".toml", ".yaml"}
        and any(re.search(pattern, path.read_text(encoding="utf-8")) for pattern in patterns("dw"))
    ]
    assert found == []
