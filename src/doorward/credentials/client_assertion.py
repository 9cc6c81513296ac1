"""Whether one of the known public keys signed an assertion (RFC 7523 section 3, point 9; RFC 7515 section 5.2)."""

from collections.abc import Collection, Mapping

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from doorward.protocol import signed_jwt
from doorward.protocol.signed_jwt import BadAssertion, SignedJwt


def verify(assertion: SignedJwt, keys: Collection[Mapping[str, str]]) -> None:
    """Return if one of ``keys`` signed. Raises ``BadAssertion``.

    The algorithm comes from the key's kind, never from the header alone: a public key is no HMAC secret (C29).
    """
    if not any(_signed(assertion, key) for key in signed_jwt.candidates(assertion, keys)):
        raise BadAssertion("no known key signed it")


def importable(key: Mapping[str, str]) -> bool:
    """Say whether ``key`` is one at all, and not merely of the right shape (a point that is not on the curve)."""
    try:
        _imported(key)
    except (JoseError, ValueError):
        return False
    return True


def _signed(assertion: SignedJwt, key: Mapping[str, str]) -> bool:
    try:
        jws.deserialize_compact(assertion.text, _imported(key), algorithms=[assertion.algorithm])
    except (JoseError, ValueError):
        return False
    return True


def _imported(key: Mapping[str, str]) -> ECKey | RSAKey:
    # Without alg: what it may sign was decided before (signed_jwt.candidates), and the library need not read it again.
    bare: dict[str, str | list[str]] = {name: value for name, value in key.items() if name != "alg"}
    made: ECKey | RSAKey = ECKey.import_key(bare) if key["kty"] == "EC" else RSAKey.import_key(bare)
    _ = made.public_key  # importing is lazy: this reads the numbers
    return made
