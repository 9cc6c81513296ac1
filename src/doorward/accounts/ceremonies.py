"""What authenticators are asked, and whether what they answer fits: the WebAuthn library, in our types.

WebAuthn Level 3 sections 7.1 and 7.2. A hostile answer can make the library's parsers raise anything; all of it means no.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from doorward.accounts.passkey_site import Site
from doorward.credentials.secret import base64url, from_base64url
from doorward.model import Passkey, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What an authenticator says of a new passkey; ids and keys in base64url."""

    credential_id: str
    public_key: str
    sign_count: int


def to_add(site: Site, user: User, challenge: str, known: Sequence[Passkey]) -> dict[str, Any]:
    """Return the options that make a new passkey on a device that has none of ``known``."""
    options = generate_registration_options(
        rp_id=site.host, rp_name=site.name, user_id=user.id.encode(), user_name=user.email,
        user_display_name=user.name, challenge=from_base64url(challenge),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_described(known),
    )  # fmt: skip
    return _plain(options_to_json(options))


def to_prove(site: Site, challenge: str, known: Sequence[Passkey]) -> dict[str, Any]:
    """Return the options that ask for one of ``known``; for anybody's where there are none."""
    options = generate_authentication_options(
        rp_id=site.host, challenge=from_base64url(challenge),
        user_verification=UserVerificationRequirement.REQUIRED, allow_credentials=_described(known),
    )  # fmt: skip
    return _plain(options_to_json(options))


def made(site: Site, challenge: str, said: Mapping[str, Any]) -> Made | None:
    """Return the passkey that a browser made; None where its answer does not fit."""
    try:
        found = verify_registration_response(
            credential=dict(said), expected_challenge=from_base64url(challenge), expected_rp_id=site.host,
            expected_origin=site.origin, require_user_verification=True,
        )  # fmt: skip
    except Exception:  # noqa: BLE001  (see above)
        return None
    return Made(
        credential_id=base64url(found.credential_id),
        public_key=base64url(found.credential_public_key),
        sign_count=found.sign_count,
    )


def proven(site: Site, challenge: str, passkey: Passkey, said: Mapping[str, Any]) -> int | None:
    """Return the counter of an answer that ``passkey`` signed; None where it does not fit."""
    try:
        found = verify_authentication_response(
            credential=dict(said), expected_challenge=from_base64url(challenge), expected_rp_id=site.host,
            expected_origin=site.origin, credential_public_key=from_base64url(passkey.public_key),
            # The library looks at the counter before the signature: anybody could then make a passkey look copied.
            credential_current_sign_count=0, require_user_verification=True,
        )  # fmt: skip
    except Exception:  # noqa: BLE001  (see above)
        return None
    return found.new_sign_count


def _described(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=from_base64url(each.credential_id)) for each in known]


def _plain(options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(options)
    return found
