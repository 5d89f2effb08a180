"""Parts → one ``multipart/form-data`` body.

Every part carries its Content-Type and Content-Length, which LangSmith demands of each.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, repeat, starmap
from operator import add, attrgetter
from typing import Final, NamedTuple, TypeAlias

from otel_langsmith.wire.parts import JSON, Parts, named

Told: TypeAlias = tuple[str, str, Parts]
"""What is to be done with a run, as ``post``; its id; its parts."""

_Columns: TypeAlias = tuple[Iterable[str], Iterable[str], Sequence[bytes]]

_FIELDS: Final = attrgetter("fields")
_ATTACHMENTS: Final = attrgetter("attachments")


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
    lead = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="'
    head = lead + '%s"\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n'

    names, content_types, bodies = _columns(runs)
    lengths = map(len, bodies)
    heads = map(head.__mod__, zip(names, content_types, lengths, strict=False))
    pieces = [*chain.from_iterable(zip(map(str.encode, heads), bodies, strict=True)), closing]
    pieces[:2] = [encoder.to_string().removesuffix(closing)]
    return Body(encoder.content_type, b"".join(pieces))


def _columns(runs: Sequence[Told]) -> _Columns:
    """Names, content types and bodies of all parts.

    Without attachments, as most runs are, a column is made for all runs at once: part by part it
    costs twice as much.
    """
    events, ids, parts = zip(*runs, strict=True)
    if any(map(_ATTACHMENTS, parts)):
        names, types, bodies = zip(*chain.from_iterable(starmap(named, runs)), strict=True)
        return names, types, bodies
    fields = [*map(_FIELDS, parts)]
    runs_names = map("%s.%s".__mod__, zip(events, ids, strict=True))
    repeated = chain.from_iterable(map(repeat, runs_names, map(len, fields)))
    of_parts = map(add, repeated, chain.from_iterable(fields))
    return of_parts, repeat(JSON), [*chain.from_iterable(map(dict.values, fields))]
