"""A run → the parts of a multipart body that say it.

Spec: LangSmith's OpenAPI, ``POST /runs/multipart``: parts are named ``post.<run id>[.<field>]``,
those of an update ``patch.…``, and ``attachment.<run id>.<name>``.
"""

import platform
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from otel_langsmith.identity import SEGMENT_LENGTH, iso_time
from otel_langsmith.run import EMPTY, RUN_TYPES, Json, JsonObject, Run
from otel_langsmith.version import __version__
from otel_langsmith.wire.json import dumps, dumps_all, plain_text

RUNTIME: Final[JsonObject] = {
    "sdk": "otel-langsmith",
    "sdk_version": __version__,
    "library": "opentelemetry",
    "runtime": "python",
    "runtime_version": platform.python_version(),
}
"""What LangSmith shows as the run's origin."""

MAX_NAME: Final = 128
"""Characters of a name that LangSmith takes, counted when NULs and the like are spelled out."""

_PITCH: Final = SEGMENT_LENGTH + 1

JSON: Final = "application/json"

MAIN: Final = ""
INPUTS: Final = ".inputs"
OUTPUTS: Final = ".outputs"
EVENTS: Final = ".events"
EXTRA: Final = ".extra"
ERROR: Final = ".error"
"""The parts of a run, by how their names go on after its id; the main one's ends there."""

ATTACHMENT: Final = "attachment"
"""How the name of an attachment's part begins."""

_MIME_TYPE: Final = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}", re.ASCII)
_UNSAFE_IN_NAME: Final = re.compile(r"[^\w -]", re.ASCII)
_MAX_ATTACHMENT_NAME: Final = 128
_ANY_TYPE: Final = "application/octet-stream"


class Attached(NamedTuple):
    """An attachment's name and media type, both safe to stand in a header."""

    name: str
    content_type: str


Parts: TypeAlias = dict[str | Attached, bytes]
"""What is said of a run, in parts, by their fields or as what they are attached; never mutated.

The main part is the first, as every known client sends it. How names begin is decided as late as
they are sent.
"""


def size_of(parts: Parts) -> int:
    """Bytes of all parts, headers not counted, as LangSmith counts them."""
    return sum(map(len, parts.values()))


class Part(NamedTuple):
    """One part under its whole name, as it stands in a body and on a disk."""

    name: str
    content_type: str
    body: bytes


def named(event: str, run_id: str, parts: Parts) -> Iterator[Part]:
    """The parts under their names; an attachment has the same one in a post and in a patch."""
    for field, body in parts.items():
        if isinstance(field, str):
            yield Part(f"{event}.{run_id}{field}", JSON, body)
        else:
            yield Part(f"{ATTACHMENT}.{run_id}.{field.name}", field.content_type, body)


def unnamed(named_parts: Iterable[Part]) -> Parts:
    """The parts that `named` gave these names; the event and the run are the same for all."""
    parts: Parts = {}
    for name, content_type, body in named_parts:
        event, _, rest = name.partition(".")
        _, dot, field = rest.partition(".")
        parts[Attached(field, content_type) if event == ATTACHMENT else dot + field] = body
    return parts


def fault_of(run: Run) -> str | None:
    """Why LangSmith would refuse the run, and with it its whole request; None if it would not.

    What a lineage says of ids and stamps keeps all of langsmith.md §3.1 as it is made, which costs
    twice as much to check again. Only a span id that is not of 64 bits makes ids too long.
    """
    order, outputs = run.dotted_order, run.outputs
    if len(order) % _PITCH != SEGMENT_LENGTH:
        return "dotted_order has a wrong length"
    if not order.endswith(run.id):
        return "id is not the last of dotted_order"
    if run.run_type not in RUN_TYPES:
        return "unknown run_type"
    if type(run.inputs) is not dict and not isinstance(run.inputs, Mapping):
        return "inputs are no object"
    if outputs is not None and type(outputs) is not dict and not isinstance(outputs, Mapping):
        return "outputs are no object"
    return None


def parts_of(run: Run, placed: bool = True) -> Parts:
    """The parts of a run; unless ``placed``, its place in a tree is left out."""
    (parts,) = parts_of_each([run], [placed])
    return parts


def parts_of_each(runs: Sequence[Run], placed: Iterable[bool]) -> list[Parts]:
    """The parts of each run, and whether its place in a tree is among them.

    Whatever a run that is shown while it is open may lack at its end is said even if empty, so that
    the end replaces it. All are dumped at once: to go from one to the next through orjson, what
    searches its output, and all that is below costs a processor its caches each time.
    """
    inputs = [run.inputs for run in runs]
    outputs = [EMPTY if run.outputs is None else run.outputs for run in runs]
    extras = [_extra(run) for run in runs]
    bodies, count = dumps_all([*inputs, *outputs, *extras]), len(runs)
    each: list[Parts] = []
    for run, is_placed, told, answered, extra in zip(
        runs, placed, bodies, bodies[count:], bodies[2 * count :], strict=False
    ):
        parts: Parts = {MAIN: _main(run, is_placed), INPUTS: told}
        if run.outputs is not None:
            parts[OUTPUTS] = answered
        if run.events:
            parts[EVENTS] = dumps(run.events)
        parts[EXTRA] = extra
        if run.error is not None:
            parts[ERROR] = dumps(run.error)
        if run.attachments:
            parts.update(_attachments(run))
        each.append(parts)
    return each


def _extra(run: Run) -> JsonObject:
    params = run.invocation_params
    if params:
        return {"metadata": run.metadata, "runtime": RUNTIME, "invocation_params": params}
    return {"metadata": run.metadata, "runtime": RUNTIME}


def parts_of_closing(run: Run, placed: bool = True) -> Parts:
    """The parts that end a run without its content: what was said of it before stays."""
    return closing(_main(run, placed), run.error)


def closing(main: bytes, error: str | None) -> Parts:
    """The parts that end the run of this main part with this error."""
    return {MAIN: main, ERROR: dumps(error)}


def place_of(run: Run) -> dict[str, Json]:
    """Where in its tree the run is."""
    place = {"trace_id": run.trace_id, "dotted_order": run.dotted_order}
    return {**place, "parent_run_id": run.parent_run_id} if run.parent_run_id else place


def _main(run: Run, placed: bool) -> bytes:
    """The first part's object, spelled out: a quarter of what a dict of it and its dump cost.

    Ids and stamps hold nothing that JSON would escape, and neither does a dotted order, which in a
    deep tree is long: it is copied here once as text and once as bytes.
    """
    end_ns, above, project = run.end_time_ns, run.parent_run_id, _in_project(run.project)
    if run.session_id or run.reference_example_id:
        project = _by_ids(run)
    tags = dumps(run.tags).decode() if run.tags else "[]"
    end = "" if end_ns is None else f',"end_time":"{iso_time(end_ns)}"'
    told = (
        f'{{"id":"{run.id}","name":{_name(run.name)},"run_type":"{run.run_type}",'
        f'"start_time":"{iso_time(run.start_time_ns)}"{end},"tags":{tags}{project}'
    )
    if not placed:
        return f"{told}}}".encode()
    parent = f',"parent_run_id":"{above}"' if above else ""
    order = run.dotted_order
    return f'{told},"trace_id":"{run.trace_id}","dotted_order":"{order}"{parent}}}'.encode()


def _by_ids(run: Run) -> str:
    """The project by its id, and the example that the run is compared with: few runs have these."""
    told = _in_project(run.project)
    if run.session_id:
        told = f',"session_id":{_quoted(run.session_id)}'
    if run.reference_example_id:
        told += f',"reference_example_id":{_quoted(run.reference_example_id)}'
    return told


@lru_cache(maxsize=1024)
def _name(name: str) -> str:
    return dumps(plain_text(name)[:MAX_NAME]).decode()


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return dumps(text).decode()


@lru_cache(maxsize=1024)
def _in_project(name: str | None) -> str:
    return f',"session_name":{_quoted(name)}' if name else ""


def _attachments(run: Run) -> Iterator[tuple[Attached, bytes]]:
    taken: Counter[str] = Counter()
    for given in run.attachments:
        safe = given.mime_type if _MIME_TYPE.fullmatch(given.mime_type) else _ANY_TYPE
        yield Attached(_attachment_name(given.name, taken), safe), given.data


def _attachment_name(given: str, taken: Counter[str]) -> str:
    """A name no header and no dot can break, and no other attachment of the run has."""
    name = _UNSAFE_IN_NAME.sub("_", given)[:_MAX_ATTACHMENT_NAME] or "attachment"
    taken[name] += 1
    # numbered with a sign that no given name can hold after the substitution
    return name if taken[name] == 1 else f"{name}+{taken[name]}"
