"""Parts → one ``multipart/form-data`` body.

Every part carries its Content-Type and Content-Length, which LangSmith demands of each.
"""

from collections.abc import Sequence
from typing import NamedTuple

from otel_langsmith.wire.parts import Part


class Body(NamedTuple):
    """A finished body, fit to be sent again for every attempt."""

    content_type: str
    data: bytes


def encode(parts: Sequence[Part], boundary: str) -> Body:
    """The parts as one body.

    The encoder costs 12 µs a field, and two copies of all it is given. So it writes the first part,
    and the others follow byte for byte as it would have written them (performance.md §3).

    Args:
        parts: At least one.
        boundary: Must occur in no part; 32 random hex digits do not.
    """
    # pulls in requests, which is to load at the first send and not at import
    from requests_toolbelt.multipart.encoder import MultipartEncoder  # noqa: PLC0415

    first = parts[0]
    headers = {"Content-Length": str(len(first.body))}
    field = (None, first.body, first.content_type, headers)
    encoder = MultipartEncoder(fields=[(first.name, field)], boundary=boundary)
    closing = f"\r\n--{boundary}--\r\n"
    pieces = [encoder.to_string().removesuffix(closing.encode("ascii"))]
    lead = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="'
    for part in parts[1:]:
        body = part.body
        head = (
            f'{lead}{part.name}"\r\nContent-Type: {part.content_type}\r\n'
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        pieces += (head.encode(), body)
    pieces.append(closing.encode("ascii"))
    return Body(encoder.content_type, b"".join(pieces))
