"""An encoded run → the same run for a destination with another project: only its main part differs.

All other parts, which hold what is large, are shared byte for byte. A run that goes into another
project gets other ids there, as LangSmith's SDK gives them: two runs of one id in one workspace are
one run. So runs of both hang together, and of a run id of ours `derived` tells the one there.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import orjson

from otel_langsmith.endpoints import Endpoint
from otel_langsmith.identity import STAMP_LENGTH
from otel_langsmith.run import JsonObject
from otel_langsmith.wire.batch import EncodedRun
from otel_langsmith.wire.parts import MAIN

_VARIANT: Final = frozenset("89ab")
"""How the fourth group of a UUID begins whose third one begins with its version."""

_IDS: Final = ("id", "trace_id", "parent_run_id")
_PROJECTS: Final = ("session_name", "session_id")


def readdressed(run: EncodedRun, endpoint: Endpoint) -> EncodedRun:
    """The run as this destination gets it."""
    if endpoint.project is None and endpoint.primary is not False:
        return run
    main: dict[str, Any] = orjson.loads(run.parts[MAIN])
    own = next((main[name] for name in _PROJECTS if name in main), "")
    project = endpoint.project or own
    if endpoint.primary or (endpoint.primary is None and project == main.get("session_name")):
        return replace(run, parts={**run.parts, MAIN: _main(main, endpoint.project)})
    placed = _with_ids(main, project)
    return replace(
        run,
        run_id=placed["id"],
        parts={**run.parts, MAIN: _main(placed, endpoint.project)},
        place=_with_ids(run.place, project) if run.place else run.place,
    )


@lru_cache(maxsize=4096)
def derived(run_id: str, project: str) -> str:
    """The id that a run has in another project: UUID v7, with the time of one that is v7 itself.

    Spec: ``uuid7_deterministic`` of LangSmith's SDK.
    """
    import xxhash  # noqa: PLC0415 - an extra, which `as_endpoints` made sure of

    digest = xxhash.xxh3_128_digest(f"{run_id}:{project}".encode())
    timed = run_id[14] == "7" and run_id[19] in _VARIANT
    time = run_id[:8] + run_id[9:13] if timed else digest[10:].hex()
    drawn = bytes((0x70 | digest[0] & 0x0F, digest[1], 0x80 | digest[2] & 0x3F))
    digits = f"{time}{drawn.hex()}{digest[3:10].hex()}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _with_ids(told: Mapping[str, Any], project: str) -> dict[str, Any]:
    """The same with every run id in it derived."""
    changed = {name: derived(told[name], project) for name in _IDS if told.get(name)}
    order = told.get("dotted_order")
    if order:
        changed["dotted_order"] = ".".join(
            segment[:STAMP_LENGTH] + derived(segment[STAMP_LENGTH:], project)
            for segment in order.split(".")
        )
    return {**told, **changed}


def _main(told: JsonObject, project: str | None) -> bytes:
    """The main part, with the project if it is to have another."""
    if project is not None:
        told = {name: value for name, value in told.items() if name not in _PROJECTS}
        told = {**told, "session_name": project}
    return orjson.dumps(told)
