"""Several destinations: ``LANGSMITH_RUNS_ENDPOINTS``, read as LangSmith's SDK reads it.

Spec: `_parse_write_replicas_from_env_var` of the SDK's ``run_trees.py``, 0.8 and later.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, Final, TypeAlias

from otel_langsmith.spellings import as_header, as_text, as_url, as_uuid

Endpoints: TypeAlias = Sequence[Mapping[str, Any]] | Mapping[str, str] | str
"""What `as_endpoints` reads; the text is JSON."""

_FORM: Final = "it must be a list of {api_url, api_key}, an object {url: key}, or JSON of either"
_MEMBERS: Final = frozenset({"api_url", "api_key", "project_name", "workspace_id", "primary"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One destination of several; its ``str`` is its address, and its key is never shown.

    ``project`` takes the place of whatever project a run names itself. ``primary``: it keeps the
    ids of runs; False gives them new ones, and None does so where ``project`` is not the run's own.
    """

    url: str
    api_key: str = field(repr=False)
    project: str | None = None
    workspace_id: str | None = None
    primary: bool | None = None

    def __str__(self) -> str:
        """The address."""
        return self.url


def as_endpoints(value: object) -> tuple[Endpoint, ...]:
    """Every destination, in order; duplicates count once.

    Raises:
        ValueError: One cannot be used; the text says which, why, and no value.
    """
    found, faults = _read(value)
    if faults:
        raise ValueError("; ".join(faults))
    return found


def usable_endpoints(value: object) -> tuple[Endpoint, ...] | None:
    """The destinations that can be used; None if there is none."""
    return _read(value)[0] or None


def _read(value: object) -> tuple[tuple[Endpoint, ...], list[str]]:
    """What can be used, and what is wrong with the rest; no text of it holds a value."""
    try:
        members = _members(value)
    except ValueError as error:
        return (), [str(error)]
    found: list[Endpoint] = []
    faults: list[str] = []
    for number, member in enumerate(members, 1):
        try:
            found.append(_endpoint(member, strict=not isinstance(value, str)))
        except ValueError as error:  # noqa: PERF203 - they are few
            faults.append(f"number {number}: {error}")
    primaries = sum(one.primary is True for one in found)
    if primaries > 1:
        return (), [*faults, "only one of them can be primary"]
    if primaries:  # then it alone keeps the ids
        found = [replace(one, primary=bool(one.primary)) for one in found]
    return tuple(dict.fromkeys(found)), faults


def _members(value: object) -> list[object]:
    """The destinations as objects, in whichever form they were said."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError(_FORM) from None
    if isinstance(value, Mapping):
        return [{"api_url": url, "api_key": key} for url, key in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [*value]
    raise ValueError(_FORM)


def _endpoint(member: Any, *, strict: bool) -> Endpoint:
    """One destination; unless ``strict``, members that nobody knows are passed over."""
    if not isinstance(member, Mapping):
        raise ValueError("it must be an object with api_url and api_key")  # noqa: TRY004
    if strict and (unknown := sorted(map(str, member.keys() - _MEMBERS))):
        raise ValueError(f"it may hold {', '.join(sorted(_MEMBERS))}, not {', '.join(unknown)}")
    said = dict(_said(member))
    primary = member.get("primary")
    if "primary" in member and not isinstance(primary, bool):
        raise ValueError("primary must be true or false")
    project, workspace = said.get("project_name"), said.get("workspace_id")
    if (project or primary is False) and find_spec("xxhash") is None:
        needs = 'pip install "otel-langsmith[endpoints]"'
        raise ValueError(f"runs get new ids there, which needs xxhash: {needs}")
    return Endpoint(
        as_url(said.get("api_url", "")),
        as_header(_present(said, "api_key")),
        as_text(project) if project else None,
        as_uuid(workspace) if workspace else None,
        primary,
    )


def _said(member: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """The texts of it that are not blank."""
    for name in ("api_url", "api_key", "project_name", "workspace_id"):
        text = member.get(name)
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{name} must be text")
        if text and text.strip():
            yield name, text


def _present(said: Mapping[str, str], name: str) -> str:
    if name not in said:
        raise ValueError(f"its {name} is missing")
    return said[name]
