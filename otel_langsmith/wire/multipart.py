"""Parts → one ``multipart/form-data`` body.

Every part carries its Content-Type and Content-Length, which LangSmith demands of each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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

Told: TypeAlias = tuple[str, str, Parts]
"""What is to be done with a run, as ``post``; its id; its parts."""

_PIECES: Final = 3
"""Of one part."""


class Body(NamedTuple):
    """A finished body, fit to be sent again for every attempt."""

    content_type: str
    data: bytes


def encode(runs: Sequence[Told], boundary: str) -> Body:
    """The parts of the runs as one body.

    The encoder costs 12 µs a field, and two copies of all it is given. So it writes the first part,
    and the others follow byte for byte as it would have written them (performance.md §3).

    Args:
        runs: At least one; the first has a part.
        boundary: Must occur in no part; 32 random hex digits do not.
    """
    # pulls in requests, which is to load at the first send and not at import
    from requests_toolbelt.multipart.encoder import MultipartEncoder  # noqa: PLC0415

    first = next(named(*runs[0]))
    headers = {"Content-Length": str(len(first.body))}
    field = (None, first.body, first.content_type, headers)
    encoder = MultipartEncoder(fields=[(first.name, field)], boundary=boundary)
    closing = f"\r\n--{boundary}--\r\n".encode("ascii")
    pieces = _pieces(runs, boundary)
    pieces[:_PIECES] = [encoder.to_string().removesuffix(closing)]
    pieces.append(closing)
    return Body(encoder.content_type, b"".join(pieces))


def _pieces(runs: Sequence[Told], boundary: str) -> list[bytes]:
    """All parts, each in as many, to be joined at once."""
    lead = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="'
    pieces: list[bytes] = []
    for event, run_id, parts in runs:
        before, start = len(pieces), f"{lead}{event}.{run_id}".encode()
        try:
            for field, body in parts.items():
                pieces += (start, _HEADS[field] % len(body), body)
        except KeyError:  # an attachment, or a field that we never send, but LangSmith's SDKs do
            pieces[before:] = _spelt(lead, named(event, run_id, parts))
    return pieces


def _spelt(lead: str, parts: Iterable[Part]) -> Iterator[bytes]:
    """The pieces of any parts."""
    for name, content_type, body in parts:
        yield from (f"{lead}{name}".encode(), _head(content_type, len(body)), body)


def _head(content_type: str, length: object, field: str = "") -> bytes:
    """What stands in the head of a part behind the run's id."""
    return f'{field}"\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n'.encode()


_HEADS: Final[Mapping[str | Attached, bytes]] = {
    field: _head(JSON, "%d", field) for field in (MAIN, INPUTS, OUTPUTS, EVENTS, EXTRA, ERROR)
}
"""For each field, with room for the length."""
