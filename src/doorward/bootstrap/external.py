"""Other systems whose bearers are taken."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from doorward.credentials.external import ExternalSystem, why_prefix_is_ours
from doorward.gateway.external_bearers import ExternalBearers
from doorward.model import Instant, Permission
from doorward.settings import ExternalSettings, Settings, SettingsError
from doorward.web.fetch import Fetcher, target_of

EXTERNAL_PER_MINUTE: Final = 3000
"""Questions to other systems about their bearers."""


def external_bearers(settings: Settings, now: Callable[[], Instant]) -> ExternalBearers | None:
    """Return what knows other systems' bearers. Raises ``SettingsError``."""
    systems: list[ExternalSystem] = []
    for name, said in settings.external_bearers.items():
        where = f"external_bearers.{name}"
        wrong = why_prefix_is_ours(said.prefix, settings.api_keys.prefix)
        others = [
            each for each in systems if each.prefix.startswith(said.prefix) or said.prefix.startswith(each.prefix)
        ]
        if wrong or others:
            raise SettingsError(
                f"{where}.prefix: {wrong or f'{others[0].name} has such a one'}. Choose another prefix."
            )
        if said.kind not in {"introspection", "profile"} or target_of(said.url) is None:
            raise SettingsError(f"{where}: write kind introspection or profile, and an https url with a host name.")
        if bool(said.tenant) == bool(said.tenant_field) or bool(said.scopes) == bool(said.scope_field):
            raise SettingsError(f"{where}: write either tenant or tenant_field, and either scopes or scope_field.")
        systems.append(_system(name, said))
    # Many callers, few hosts, all named by the operator.
    fetcher = Fetcher(now=now, per_minute=EXTERNAL_PER_MINUTE)
    return ExternalBearers(systems, fetcher=fetcher, now=now) if systems else None


def _system(name: str, said: ExternalSettings) -> ExternalSystem:
    secret = ""
    try:
        secret = Path(said.client_secret_file).read_text(encoding="utf-8").strip() if said.client_secret_file else ""
    except (OSError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"external_bearers.{name}.client_secret_file: cannot be read. Mend the path.") from wrong
    return ExternalSystem(
        name=name, prefix=said.prefix, url=said.url, introspects=said.kind == "introspection", client_id=said.client_id,
        client_secret=secret, audience=said.audience, email_field=said.email_field, verified_field=said.verified_field,
        trust_email=said.trust_email, subject_field=said.subject_field, subjects=said.subjects, tenant=said.tenant,
        tenant_field=said.tenant_field, scopes=frozenset(map(Permission, said.scopes)), scope_field=said.scope_field,
        scope_map={one: frozenset(map(Permission, ours.split())) for one, ours in said.scope_map.items()},
    )  # fmt: skip
