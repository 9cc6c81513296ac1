"""What the deployment says of OAuth clients."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from doorward.authserver.clients import ClientDirectory
from doorward.clients import profiles
from doorward.settings import Settings, SettingsError


def client_directory(settings: Settings) -> ClientDirectory:
    """Return what a command needs to know a client again. Raises ``SettingsError``."""
    return ClientDirectory(
        pinned_documents=pinned(settings), bundled_documents=bundled(settings), policy=settings.cimd.policy,
        vendor_schemes=profiles.vendor_schemes(),
    )  # fmt: skip


def pinned(settings: Settings) -> dict[str, bytes]:
    """Read the operator's own copies of Client ID Metadata Documents."""
    found = {}
    for url, path in settings.cimd.pinned.items():
        try:
            found[url] = Path(path).read_bytes()
        except OSError as wrong:
            raise SettingsError(f"cimd.pinned: {path} cannot be read ({wrong.strerror}). Mend the path.") from wrong
    return found


def bundled(settings: Settings) -> Mapping[str, Mapping[str, Any]]:
    """Return our copies of known vendors' documents but those that the operator does not want."""
    unknown = set(settings.cimd.unbundled) - profiles.bundled_documents().keys()
    if unknown:
        raise SettingsError(f"cimd.unbundled: no copy of {min(unknown)} is bundled. Take it out.")
    return {url: each for url, each in profiles.bundled_documents().items() if url not in settings.cimd.unbundled}
