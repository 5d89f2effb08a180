"""Reads what the LangSmith SDKs leave in ``LANGSMITH_FAILED_TRACES_DIR``; pure.

They write each request that failed for good as ``{version, endpoint, headers, body_base64}`` and
ship nothing that sends it again (langsmith.md §4.2). Of its headers only those are read that say
how the body is written.
"""

import base64
import json
from collections.abc import Mapping
from typing import Final

from otel_langsmith.delivery.records import Record, Verb
from otel_langsmith.errors import WireError
from otel_langsmith.receiver.inflate import inflate
from otel_langsmith.receiver.multipart import Part as ReceivedPart
from otel_langsmith.receiver.multipart import parse
from otel_langsmith.receiver.refusal import RefusedError
from otel_langsmith.wire.parts import Part, unnamed

PATTERN: Final = "trace_*.json"
"""The names of the SDKs' files."""

MAX_INFLATED_BYTES: Final = 2**28

_VERSION: Final = 1
_ENDPOINT: Final = "runs/multipart"


def read_envelope(data: bytes) -> list[Record]:
    """The runs of one envelope, in the order in which they were sent.

    Raises:
        WireError: It is no envelope of a kind we know, or its body is damaged.
    """
    try:
        told = json.loads(data)
        if (told["version"], told["endpoint"].strip("/")) != (_VERSION, _ENDPOINT):
            raise WireError(f"version {told['version']} for {told['endpoint']} is not understood")
        headers = {str(name).lower(): str(value) for name, value in told["headers"].items()}
        body = base64.b64decode(told["body_base64"], validate=True)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        known = error if isinstance(error, WireError) else None
        raise known or WireError("it is no envelope of the LangSmith SDK") from None
    return _records(body, headers)


def _records(body: bytes, headers: Mapping[str, str]) -> list[Record]:
    try:
        plain = inflate(body, headers.get("content-encoding", ""), MAX_INFLATED_BYTES)
        received = parse(plain, headers.get("content-type", ""))
    except RefusedError as error:
        raise WireError(f"its body is damaged: {error}") from None
    runs: dict[tuple[str, str], list[Part]] = {}
    for part in received:
        if part.event != "attachment":
            runs.setdefault((part.event, part.id), []).append(_as_sent(part))
    for part in received:
        if part.event == "attachment":
            owner = next((key for key in runs if key[1] == part.id), ("post", part.id))
            runs.setdefault(owner, []).append(_as_sent(part))
    verbs: dict[str, Verb] = {"patch": "patch", "feedback": "feedback"}
    return [
        Record(run_id, verbs.get(event, "post"), unnamed(parts))
        for (event, run_id), parts in runs.items()
    ]


def _as_sent(part: ReceivedPart) -> Part:
    return Part(part.name, part.media_type, part.data)
