"""The reply to ``GET /info`` → the server's limits and codings: `Capabilities`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from otel_langsmith.wire.reply import Reply

_OK: Final = 200

_CODINGS: Final = (("zstd", "zstd_compression_enabled"), ("gzip", "gzip_body_enabled"))
"""Content codings, the better first, and the flags that offer them."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server takes in one request; None is no limit of its own.

    ``codings`` are the content codings it can undo, the better first. The defaults are for a server
    of which nothing is known.
    """

    max_runs: int | None = None
    max_bytes: int | None = None
    codings: tuple[str, ...] = ()
    multipart: bool = True


def capabilities_of(reply: Reply) -> Capabilities | None:
    """What the reply to ``GET /info`` says; None if it says nothing."""
    try:
        told = orjson.loads(reply.text) if reply.status == _OK else None
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    ingest, flags = _object(told, "batch_ingest_config"), _object(told, "instance_flags")
    return Capabilities(
        max_runs=_limit(ingest, "size_limit"),
        max_bytes=_limit(ingest, "size_limit_bytes"),
        codings=tuple(coding for coding, flag in _CODINGS if flags.get(flag) is True),
        multipart=ingest.get("use_multipart_endpoint") is not False,
    )


def _object(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _limit(told: Mapping[str, Any], name: str) -> int | None:
    found = told.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None
