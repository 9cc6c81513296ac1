"""The two DNS messages that asking for a TXT record takes (RFC 1035 section 4; RFC 6891 for larger answers).

An answer comes from the network: every length is checked, compression may only point backwards, and it has to be the
answer to exactly this question.
"""

import struct

TXT, IN, OPT = 16, 1, 41
PAYLOAD = 1232
"""Bytes of an answer that are asked for: what no path on the Internet cuts up."""

_HEADER = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")
_RESPONSE, _TRUNCATED, _RECURSE, _CODE = 0x8000, 0x0200, 0x0100, 0x000F
_NO_ERROR, _NO_SUCH_NAME = 0, 3
_POINTER, _MAX_NAME = 0xC0, 255
_MAX_RECORDS = 64


def question(name: str, number: int) -> bytes:
    """Return the query for the TXT records of ``name``, an ASCII host name; ``number`` has 16 unpredictable bits."""
    header = _HEADER.pack(number, _RECURSE, 1, 0, 0, 1)
    return header + _asked(name) + b"\0" + _FIXED.pack(OPT, PAYLOAD, 0, 0)


def texts(message: bytes, name: str, number: int) -> list[str]:
    """Return the texts that stand at ``name``; none where the name or such a record does not exist.

    Raises ``ValueError`` where the message does not say: not the answer to this question, cut off, or a failure.
    """
    if len(message) < _HEADER.size:
        raise ValueError("not a DNS message")
    answered, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
    asked = _asked(name)
    start = _HEADER.size + len(asked)
    if answered != number or not flags & _RESPONSE or questions != 1 or message[_HEADER.size : start].lower() != asked:
        raise ValueError("the answer to another question")
    code = flags & _CODE
    if flags & _TRUNCATED or code not in {_NO_ERROR, _NO_SUCH_NAME}:
        raise ValueError(f"no answer: code {code}{', cut off' if flags & _TRUNCATED else ''}")
    return _records(message, start, answers) if code == _NO_ERROR else []


def _records(message: bytes, place: int, count: int) -> list[str]:
    if count > _MAX_RECORDS:
        raise ValueError("more records than anybody has")
    found = []
    for _ in range(count):
        place = _after_name(message, place)
        if place + _FIXED.size > len(message):
            raise ValueError("a record is cut off")
        kind, within, _, length = _FIXED.unpack_from(message, place)
        place += _FIXED.size
        if place + length > len(message):
            raise ValueError("a record is cut off")
        # Whose name it is does not matter: aliases (CNAME) were followed by the resolver that was asked.
        if (kind, within) == (TXT, IN):
            found.append(_strings(message[place : place + length]))
        place += length
    return found


def _strings(data: bytes) -> str:
    """Join the strings of one record (RFC 7208 section 3.3 reads them so)."""
    parts, place = b"", 0
    while place < len(data):
        end = place + 1 + data[place]
        if end > len(data):
            raise ValueError("a text is cut off")
        parts += data[place + 1 : end]
        place = end
    return parts.decode("utf-8", "replace")


def _after_name(message: bytes, place: int) -> int:
    begun = place
    while place < len(message) and place - begun <= _MAX_NAME:
        length = message[place]
        if length & _POINTER == _POINTER:
            return place + 2
        if length & _POINTER:
            break
        place += 1 + length
        if length == 0:
            return place
    raise ValueError("a name is cut off")


def _asked(name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    return labels + b"\0" + struct.pack("!HH", TXT, IN)
