"""The endpoints that read: projects, and one run by its id, in the shapes of LangSmith's own API.

Enough for a client to tell whether its key is accepted and what became of a run; for more, read
the `Store`. Spec: https://docs.langchain.com/langsmith/smith-api
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from otel_langsmith.identity import uuid_text
from otel_langsmith.receiver.store import Store
from otel_langsmith.receiver.stored import StoredRun
from otel_langsmith.run import JsonObject

_PROJECTS: Final = UUID("6f1d2c0e-5f0b-4b6a-9a55-0d3f1c1b7a10")
"""The namespace of project ids: a project here is only a name, and its id has to stay the same."""

_NO_WORKSPACE: Final = str(UUID(int=0))
_MOST_PROJECTS: Final = 100


def sessions(store: Store, query: Mapping[str, str], workspace_id: str | None) -> list[JsonObject]:
    """The projects, one page of them; ``name`` asks for one, ``limit`` and ``offset`` for a page.

    A number that is none counts as not said.
    """
    wanted = query.get("name")
    names = [name for name in store.projects() if wanted in (None, name)]
    offset, limit = _count(query, "offset", 0), _count(query, "limit", _MOST_PROJECTS)
    return [
        {
            "id": _project_id(name),
            "name": name,
            "tenant_id": workspace_id or _NO_WORKSPACE,
            "reference_dataset_id": None,
            "start_time": _instant(min(filter(None, _starts(store, name)), default=None)),
        }
        for name in names[offset : offset + limit]
    ]


def run(store: Store, run_id: str) -> JsonObject | None:
    """The run as LangSmith tells it; None when there is none of this id."""
    found = store.run(uuid_text(run_id) or "")
    return None if found is None else _told(found)


def _told(run: StoredRun) -> JsonObject:
    return {
        "id": run.id,
        "trace_id": run.trace_id,
        "parent_run_id": run.parent_run_id,
        "dotted_order": run.dotted_order,
        "name": run.name,
        "run_type": run.run_type,
        "start_time": _instant(run.start_time),
        "end_time": _instant(run.end_time),
        "inputs": run.inputs or {},
        "outputs": run.outputs,
        "error": run.error,
        "status": run.status,
        "extra": run.extra,
        "tags": list(run.tags),
        "session_id": _project_id(run.project),
    }


def _starts(store: Store, project: str) -> list[datetime | None]:
    return [trace.start_time for trace in store.traces(project=project)]


def _project_id(name: str) -> str:
    return str(uuid5(_PROJECTS, name))


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    said = query.get(name, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 9 else default  # noqa: PLR2004 - fits an index
