"""Runs → LangSmith's plain REST: ``POST /runs``, ``PATCH /runs/{id}``, or many to ``/runs/batch``.

For servers and gateways without multipart, and for runs whose place only the server can tell. A run
is one JSON object there, made of the same parts that multipart sends one by one; attachments have
no place in it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from otel_langsmith.presence import Operation
from otel_langsmith.run import Json
from otel_langsmith.wire.json import dumps
from otel_langsmith.wire.parts import Part

CONTENT_TYPE: Final = "application/json"

_METHODS: Final[Mapping[Operation, str]] = {"post": "POST", "patch": "PATCH"}


class Message(NamedTuple):
    """What is sent: method, path below the endpoint, body."""

    method: str
    path: str
    data: bytes


def encode(
    run_id: str, parts: tuple[Part, ...], operation: Operation, place: Mapping[str, Json]
) -> Message:
    """The run's parts as one object, with what is said of its ``place`` among them.

    Args:
        run_id: The run's id.
        parts: The main one first, as `parts_of` yields them.
        operation: What to do.
        place: ``parent_run_id`` for the server to find the rest, or all of it, or nothing.
    """
    path = "/runs" if operation == "post" else f"/runs/{run_id}"
    return Message(_METHODS[operation], path, _object(parts, place))


def encode_batch(runs: Iterable[tuple[Operation, tuple[Part, ...]]]) -> Message:
    """Many runs as one object, for servers that know no multipart.

    Args:
        runs: What to do, and the parts, which say the run's place among the rest.
    """
    objects: dict[Operation, list[bytes]] = {"post": [], "patch": []}
    for operation, parts in runs:
        objects[operation].append(_object(parts, {}))
    post, patch = (b",".join(objects[operation]) for operation in ("post", "patch"))
    return Message("POST", "/runs/batch", b'{"post":[%b],"patch":[%b]}' % (post, patch))


def _object(parts: tuple[Part, ...], place: Mapping[str, Json]) -> bytes:
    main, *fields = parts
    members = [main.body[1:-1]]
    if place:
        members.append(dumps(place)[1:-1])
    for part in fields:
        name = part.name.rpartition(".")[2]
        members.append(b'"%b":%b' % (name.encode("ascii"), part.body))
    return b"{%b}" % b",".join(members)
