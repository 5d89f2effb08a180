"""Parts → one ``multipart/form-data`` body.

Every part carries its Content-Type and Content-Length, which LangSmith demands of each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Final, NamedTuple, TypeAlias

from otel_langsmith.wire.parts import (
    ERROR,
    EVENTS,
    EXTRA,
    INPUTS,
    JSON,
    MAIN,
    OUTPUTS,
    Attached,
    Part,
    Parts,
    named,
)

Instruction: TypeAlias = tuple[str, str, Parts]
"""An operation on a run (``post`` or ``patch``), the run's id, its parts."""


class Body(NamedTuple):
    """A finished body, fit to be sent again for every attempt."""

    content_type: str
    data: bytes


def encode(runs: Sequence[Instruction], boundary: str) -> Body:
    """The parts of the runs as one body, byte for byte as requests-toolbelt's encoder writes it.

    A name must hold neither a quote nor a line's end, as those that `named` makes never do: the
    encoder would escape them.

    Args:
        runs: At least one; the first has a part.
        boundary: Must occur in no part; 32 random hex digits do not.
    """
    pieces = _pieces(runs, boundary)
    pieces[0] = pieces[0].removeprefix(_LINE_END)
    pieces.append(f"\r\n--{boundary}--\r\n".encode("ascii"))
    return Body(f"multipart/form-data; boundary={boundary}", b"".join(pieces))


def _pieces(runs: Sequence[Instruction], boundary: str) -> list[bytes]:
    """All parts, each in as many, to be joined at once."""
    heads = _heads()
    lead = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="'
    pieces: list[bytes] = []
    for event, run_id, parts in runs:
        before, start = len(pieces), f"{lead}{event}.{run_id}".encode()
        try:
            for field, body in parts.items():
                pieces += (start, heads[field] % len(body), body)
        except KeyError:  # an attachment, or a field that we never send, but LangSmith's SDKs do
            pieces[before:] = _spelt(lead, named(event, run_id, parts))
    return pieces


def _spelt(lead: str, parts: Iterable[Part]) -> Iterator[bytes]:
    """The pieces of any parts."""
    for name, content_type, body in parts:
        yield from (f"{lead}{name}".encode(), _head(content_type) % len(body), body)


@cache
def _heads() -> Mapping[str | Attached, bytes]:
    """For each field, what stands behind the run's id, with room for the length."""
    return {field: _head(JSON, field) for field in (MAIN, INPUTS, OUTPUTS, EVENTS, EXTRA, ERROR)}


@lru_cache(maxsize=256)
def _head(content_type: str, field: str = "") -> bytes:
    """What the encoder writes behind a name that ends in ``field``, with room for the length.

    To write a part costs it 76 µs, and two copies of what is in it. So it writes each head once,
    and what differs is put in.
    """
    # pulls in requests, which is to load at the first send and not at import
    from requests_toolbelt.multipart.encoder import MultipartEncoder  # noqa: PLC0415

    headers = {"Content-Length": _ROOM.decode("ascii")}
    encoder = MultipartEncoder(fields=[(field, (None, b"", content_type, headers))])
    _, _, written = encoder.to_string().partition(b'; name="')
    head, _, _ = written.partition(2 * _LINE_END)
    spelt, _, rest = head.replace(b"%", b"%%").rpartition(_ROOM)
    return b"%b%%d%b%b" % (spelt, rest, 2 * _LINE_END)


_LINE_END: Final = b"\r\n"
_ROOM: Final = b"length of the body"
