"""Runs → LangSmith's plain REST: ``POST /runs``, ``PATCH /runs/{id}``, or many to ``/runs/batch``.

For servers and gateways without multipart, and for runs whose place only the server can tell. A run
is one JSON object there, made of the same parts that multipart sends one by one; attachments have
no place in it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from otel_langsmith.run import Json
from otel_langsmith.wire.json import dumps
from otel_langsmith.wire.multipart import Instruction
from otel_langsmith.wire.parts import MAIN, Parts

CONTENT_TYPE: Final = "application/json"

_METHODS: Final[Mapping[str, str]] = {"post": "POST", "patch": "PATCH"}


class Message(NamedTuple):
    """What is sent: method, path below the endpoint, body."""

    method: str
    path: str
    data: bytes


def encode(run_id: str, parts: Parts, operation: str, place: Mapping[str, Json]) -> Message:
    """The run's parts as one object, with what is said of its ``place`` among them.

    Args:
        run_id: The run's id.
        parts: What is said of it.
        operation: What to do, ``post`` or ``patch``.
        place: ``parent_run_id`` for the server to find the rest, or all of it, or nothing.
    """
    path = "/runs" if operation == "post" else f"/runs/{run_id}"
    return Message(_METHODS[operation], path, _object(parts, place))


def encode_batch(runs: Iterable[Instruction]) -> Message:
    """Many runs as one object, for servers that know no multipart.

    Args:
        runs: What to do, and the parts, which say the run's place among the rest.
    """
    objects: dict[str, list[bytes]] = {"post": [], "patch": []}
    for operation, _, parts in runs:
        objects[operation].append(_object(parts, {}))
    post, patch = (b",".join(objects[operation]) for operation in ("post", "patch"))
    return Message("POST", "/runs/batch", b'{"post":[%b],"patch":[%b]}' % (post, patch))


def _object(parts: Parts, place: Mapping[str, Json]) -> bytes:
    pieces: list[bytes | memoryview] = [memoryview(parts[MAIN])[:-1]]
    if place:
        pieces += (b",", memoryview(dumps(place))[1:-1])
    for field, body in parts.items():
        if field and isinstance(field, str):
            pieces += (f',"{field[1:]}":'.encode("ascii"), body)
    return b"".join((*pieces, b"}"))
