"""A run → the parts of a multipart body that say it.

Spec: LangSmith's OpenAPI, ``POST /runs/multipart``: parts are named ``post.<run id>[.<field>]``,
those of an update ``patch.…``.
"""

import platform
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from otel_langsmith.identity import SEGMENT_LENGTH, STAMP_LENGTH, UUID_LENGTH, iso_time
from otel_langsmith.run import RUN_TYPES, Json, JsonObject, Run
from otel_langsmith.version import __version__
from otel_langsmith.wire.json import dumps, plain_text

RUNTIME: Final[JsonObject] = {
    "sdk": "otel-langsmith",
    "sdk_version": __version__,
    "library": "opentelemetry",
    "runtime": "python",
    "runtime_version": platform.python_version(),
}
"""What LangSmith shows as the run's origin."""

_RUNTIME: Final = b',"runtime":' + dumps(RUNTIME)

MAX_NAME: Final = 128
"""Characters of a name that LangSmith takes, counted when NULs and the like are spelled out."""

_JSON: Final = "application/json"
_MIME_TYPE: Final = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}", re.ASCII)
_UNSAFE_IN_NAME: Final = re.compile(r"[^\w -]", re.ASCII)
_MAX_ATTACHMENT_NAME: Final = 128


@dataclass(slots=True)
class Part:
    """One part of a body. ``name`` and ``content_type`` are safe to stand in a header.

    Never mutated once it is made. (Not frozen: four to a run, that alone costs 8,000 instructions.)
    """

    name: str
    content_type: str
    body: bytes


def fault_of(run: Run) -> str | None:
    """Why LangSmith would refuse the run, and with it its whole request; None if it would not.

    The invariants of langsmith.md §3.1, checked by offsets in constant time: what lies above the
    parent was checked when the parent's lineage was made.
    """
    order, fault = run.dotted_order, None
    name: Any = run.name
    above = order[-2 * SEGMENT_LENGTH - 1 : -SEGMENT_LENGTH - 1]
    if order[-UUID_LENGTH:] != run.id:
        fault = "id is not the last of dotted_order"
    elif order[STAMP_LENGTH:SEGMENT_LENGTH] != run.trace_id:
        fault = "trace_id is not the first"
    elif (above[STAMP_LENGTH:] or None) != run.parent_run_id:
        fault = "parent is not the last but one"
    elif above[:STAMP_LENGTH] > order[-SEGMENT_LENGTH:-UUID_LENGTH]:
        fault = "it starts before its parent"
    elif (len(order) + 1) % (SEGMENT_LENGTH + 1):
        fault = "dotted_order has a wrong length"
    elif run.run_type not in RUN_TYPES:
        fault = "unknown run_type"
    elif not isinstance(name, str):
        fault = "its name is no text"
    elif type(run.inputs) is not dict and not isinstance(run.inputs, Mapping):
        fault = "inputs are no object"
    elif type(run.outputs) is not dict and not isinstance(run.outputs, Mapping | None):
        fault = "outputs are no object"
    return fault


def parts_of(run: Run, *, placed: bool = True) -> Iterator[Part]:
    """The parts of a run: the main one first, as every known client sends them.

    Whatever a run that is shown while it is open may lack at its end is said even if empty, so that
    the end replaces it. Unless ``placed``, its place in a tree is left out.
    """
    name = f"post.{run.id}"
    yield Part(name, _JSON, _main(run, placed))
    yield Part(f"{name}.inputs", _JSON, dumps(run.inputs))
    if run.outputs is not None:
        yield Part(f"{name}.outputs", _JSON, dumps(run.outputs))
    if run.events:
        yield Part(f"{name}.events", _JSON, dumps(run.events))
    yield Part(f"{name}.extra", _JSON, _extra(run))
    if run.error is not None:
        yield Part(f"{name}.error", _JSON, dumps(run.error))
    if run.attachments:
        yield from _attachments(run)


def parts_of_closing(run: Run, *, placed: bool = True) -> Iterator[Part]:
    """The parts that end a run without its content: what was said of it before stays."""
    main, *_, error = parts_of(run, placed=placed)
    return iter((main, error))


def as_patch(part: Part) -> Part:
    """The same part of an update; attachments have one name for both."""
    event, _, rest = part.name.partition(".")
    return replace(part, name=f"patch.{rest}") if event == "post" else part


def as_post(part: Part) -> Part:
    """The part of an update as it was before `as_patch`."""
    event, _, rest = part.name.partition(".")
    return replace(part, name=f"post.{rest}") if event == "patch" else part


def place_of(run: Run) -> dict[str, Json]:
    """Where in its tree the run is."""
    place = {"trace_id": run.trace_id, "dotted_order": run.dotted_order}
    return {**place, "parent_run_id": run.parent_run_id} if run.parent_run_id else place


def _main(run: Run, placed: bool) -> bytes:
    """The first part's object, spelled out: a quarter of what a dict of it and its dump cost.

    Ids and stamps hold nothing that JSON would escape, and neither does a dotted order, which in a
    deep tree is long: it is copied here once as text and once as bytes.
    """
    end_ns = run.end_time_ns
    end = "" if end_ns is None else f',"end_time":"{iso_time(end_ns)}"'
    trace = order = above = ""
    if placed:
        trace, order = f',"trace_id":"{run.trace_id}","dotted_order":"', run.dotted_order
        above = f'","parent_run_id":"{run.parent_run_id}"' if run.parent_run_id else '"'
    if run.session_id:
        project = f',"session_id":{_quoted(run.session_id)}'
    else:
        project = f',"session_name":{_quoted(run.project)}' if run.project else ""
    example = run.reference_example_id
    told = f',"reference_example_id":{_quoted(example)}' if example else ""
    return (
        f'{{"id":"{run.id}","name":{_name(run.name)},"run_type":"{run.run_type}"'
        f',"start_time":"{iso_time(run.start_time_ns)}"{end}'
        f',"tags":{dumps(run.tags).decode() if run.tags else "[]"}{project}{told}'
        f"{trace}{order}{above}}}"
    ).encode()


@lru_cache(maxsize=1024)
def _name(name: str) -> str:
    return dumps(plain_text(name)[:MAX_NAME]).decode()


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return dumps(text).decode()


def _extra(run: Run) -> bytes:
    metadata = dumps(run.metadata)
    if not run.invocation_params:
        return b"".join((b'{"metadata":', metadata, _RUNTIME, b"}"))
    params = dumps(run.invocation_params)
    named = (b'{"metadata":', metadata, _RUNTIME, b',"invocation_params":', params, b"}")
    return b"".join(named)


def _attachments(run: Run) -> Iterator[Part]:
    taken: Counter[str] = Counter()
    for attachment in run.attachments:
        name = _attachment_name(attachment.name, taken)
        mime_type = attachment.mime_type
        safe = mime_type if _MIME_TYPE.fullmatch(mime_type) else "application/octet-stream"
        yield Part(f"attachment.{run.id}.{name}", safe, attachment.data)


def _attachment_name(given: str, taken: Counter[str]) -> str:
    """A name no header and no dot can break, and no other attachment of the run has."""
    name = _UNSAFE_IN_NAME.sub("_", given)[:_MAX_ATTACHMENT_NAME] or "attachment"
    taken[name] += 1
    # numbered with a sign that no given name can hold after the substitution
    return name if taken[name] == 1 else f"{name}+{taken[name]}"
