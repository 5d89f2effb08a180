"""Checks of LangSmith's answers: is it there, is it LangSmith, are key and run accepted? Pure.

Nothing of a server's text is passed on but its version: it may quote what was sent to it.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from otel_langsmith.doctor.account import REGIONS, place_of
from otel_langsmith.doctor.failures import failure_of
from otel_langsmith.doctor.situation import (
    Observation,
    Observations,
    Situation,
    error,
    ok,
    skipped,
    warning,
)
from otel_langsmith.wire.reply import Reply

CLOCK_TOLERANCE_S: Final = 2.0
"""Beyond the length of the exchange and the whole second that ``Date`` is cut to."""

_REDIRECT: Final = range(300, 400)
_REFUSED: Final = frozenset({401, 403})
_NO_WORKSPACE: Final = "org_scoped_key_requires_workspace"
_LONGEST_VERSION: Final = 40
_NOT_FOUND: Final = 404
_NO_ENDPOINT: Final = "there is no endpoint to ask"
_UNSERVED: Final = frozenset({404, 405, 410, 501})


def answers(reply: Reply) -> bool:
    """Whether it may be LangSmith that answered: so it is fit to be shown the key."""
    status = reply.status
    return (
        status is not None
        and status not in _REDIRECT
        and not _is_page(reply)
        and (document(reply) is not None or status in _REFUSED | {_NOT_FOUND})
    )


def document(reply: Reply) -> Mapping[str, Any] | None:
    """The JSON object of a successful reply."""
    if reply.status is None or reply.status // 100 != 2:  # noqa: PLR2004 - any success
        return None
    try:
        said = json.loads(reply.text)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def connection(situation: Situation) -> Observations:
    """Whether something answers at the endpoint, and answers as LangSmith does."""
    if situation.info is None:
        yield skipped(_NO_ENDPOINT)
        return
    reply = situation.info.reply
    elsewhere = situation.elsewhere
    remedy = (
        f"set LANGSMITH_ENDPOINT={elsewhere}, which does answer as LangSmith" if elsewhere else ""
    )
    trouble = _trouble(reply)
    if trouble is not None:
        yield trouble._replace(remedy=remedy or trouble.remedy)
    elif remedy:
        yield error(f"there is no LangSmith at this path (HTTP {reply.status})", remedy)
    elif document(reply) is not None:
        yield ok(f"answered in {situation.info.took_s * 1000:.0f} ms")
    elif reply.status in _REFUSED:
        yield ok(
            f"answers, but tells about itself only to a key that it takes (HTTP {reply.status})"
        )
    elif reply.status == _NOT_FOUND:
        yield warning(
            "answers, but has no /info (HTTP 404)",
            "a self-hosted LangSmith is at https://host/api or https://host/api/v1",
        )
    else:
        yield error(f"answers, but not as LangSmith does (HTTP {reply.status})", _WHERE)


_WHERE: Final = "is LANGSMITH_ENDPOINT right? Self-hosted, it ends in /api or /api/v1"


def _trouble(reply: Reply) -> Observation | None:
    """What keeps any request from being answered by LangSmith; None if nothing does."""
    if reply.status is None:
        return error(*failure_of(reply.error))
    if reply.status in _REDIRECT:
        target = _address(reply.headers.get("location", ""))
        return error(f"redirects to {target}, and runs do not follow", _WHERE)
    if _is_page(reply):
        return error(f"answers with a web page, not as LangSmith (HTTP {reply.status})", _WHERE)
    if reply.status == 429:  # noqa: PLR2004
        return warning("is reached, but the quota is used up (HTTP 429)", "wait, or raise the plan")
    if reply.status >= 500:  # noqa: PLR2004 - a server's own failure
        return error(
            f"is reached, but fails (HTTP {reply.status})",
            "wait and try again; runs are retried, then held in a bounded backlog",
        )
    return None


def _is_page(reply: Reply) -> bool:
    return "text/html" in reply.headers.get("content-type", "").lower()


def _address(location: str) -> str:
    """Where a redirect leads, without what may be secret in it."""
    try:
        parts = urlsplit(location)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "somewhere else"
    host = f"{parts.scheme or 'https'}://{parts.hostname}{port}" if parts.hostname else ""
    return f"{host}{parts.path}"[:200] or "somewhere else"


def server(situation: Situation) -> Observations:
    """What LangSmith says of itself, against the settings it will meet."""
    told = None if situation.info is None else document(situation.info.reply)
    if told is None:
        yield skipped("no /info was read")
        return
    limits, flags = _object(told, "batch_ingest_config"), _object(told, "instance_flags")
    seen = [
        *_limits(situation, limits),
        *_compression(situation, flags),
        *_licence(situation, told),
    ]
    codings = [name for name, flag in _FLAGS.items() if flags.get(flag) is True]
    version = f"version {str(told.get('version') or 'unknown')[:_LONGEST_VERSION]}"
    runs, size = limits.get("size_limit", "?"), _mebibytes(limits.get("size_limit_bytes"))
    limited = f"at most {runs} runs and {size} a request" if limits else "tells no limits"
    compressed = f"takes {' and '.join(codings)}" if codings else "takes no compression"
    yield from seen or [ok(f"{version}, {limited}, {compressed}")]


_FLAGS: Final = {"zstd": "zstd_compression_enabled", "gzip": "gzip_body_enabled"}


def _limits(situation: Situation, limits: Mapping[str, Any]) -> Observations:
    if limits.get("use_multipart_endpoint") is False:
        yield warning(
            "it does not want /runs/multipart, which is what runs are sent to",
            "upgrade the self-hosted LangSmith",
        )
    for setting, limit in (
        ("max_batch_runs", "size_limit"),
        ("max_batch_bytes", "size_limit_bytes"),
    ):
        ours, theirs = getattr(situation.settings, setting), limits.get(limit)
        if isinstance(theirs, int) and 0 < theirs < ours:
            variable = f"OTEL_EXPORTER_LANGSMITH_{setting.upper()}"
            yield warning(f"it takes less than {variable} allows", f"set {variable}={theirs}")


def _compression(situation: Situation, flags: Mapping[str, Any]) -> Observations:
    used = situation.settings.compression
    if used in _FLAGS and flags.get(_FLAGS[used]) is not True:
        yield warning(
            f"it does not say that it takes {used}, which is configured",
            "set OTEL_EXPORTER_LANGSMITH_COMPRESSION=none",
        )


def _licence(situation: Situation, told: Mapping[str, Any]) -> Observations:
    try:
        end = datetime.fromisoformat(str(told["license_expiration_time"]).replace("Z", "+00:00"))
    except (KeyError, ValueError):
        return
    end = end if end.tzinfo else end.replace(tzinfo=timezone.utc)
    if situation.info is not None and end < situation.info.at:
        yield warning(f"its licence ended on {end:%Y-%m-%d}", "renew it: runs may be refused")


def _object(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _mebibytes(count: object) -> str:
    return f"{count / 2**20:g} MiB" if isinstance(count, int) else "?"


def account(situation: Situation) -> Observations:
    """Whether the key is taken, and for which workspace."""
    if situation.account is None:
        yield skipped(_why_not_asked(situation))
        return
    reply = situation.account.reply
    if reply.status in _REFUSED:
        yield _refusal(situation, reply)
    elif (trouble := _trouble(reply)) is not None:
        yield trouble
    elif reply.status in _UNSERVED:
        yield skipped(f"this server has no list of projects to ask for (HTTP {reply.status})")
    elif reply.status == 200:  # noqa: PLR2004
        yield ok("the key is accepted")
    else:
        yield warning(f"the list of projects was answered with HTTP {reply.status}", _WHERE)


def _why_not_asked(situation: Situation) -> str:
    reached = situation.info is not None and answers(situation.info.reply)
    if situation.settings.endpoint and (situation.elsewhere or not reached):
        return "no LangSmith answered, so the key was not sent"
    return "there is no usable key to ask with" if situation.settings.endpoint else _NO_ENDPOINT


def _refusal(situation: Situation, reply: Reply) -> Observation:
    if _NO_WORKSPACE in reply.text:
        return error(
            "the key spans several workspaces, and none is named",
            "set LANGSMITH_WORKSPACE_ID to the workspace's id, from LangSmith's settings page",
        )
    canary = situation.canary
    if canary is not None and canary.ledger.delivered:
        return ok(f"the key may send, but not read (HTTP {reply.status})")
    return error(f"the key is refused (HTTP {reply.status})", _refused_remedy(situation))


def _refused_remedy(situation: Situation) -> str:
    place = place_of(situation.settings.endpoint or "")
    ways = ["is the key whole, and neither deleted nor expired?"]
    if situation.settings.workspace_id:
        ways.append("Does it belong to LANGSMITH_WORKSPACE_ID?")
    if place.region:
        others = ", ".join(f"https://{host}" for host in REGIONS if host != place.host)
        ways.append(f"A key of another region needs its LANGSMITH_ENDPOINT: {others}")
    elif not place.local:
        ways.append("A key of LangSmith's cloud is not one of this server's")
    return " ".join(ways)


def clock(situation: Situation) -> Observations:
    """How far this machine's clock is from LangSmith's, by the ``Date`` of its answer."""
    exchange = situation.info
    date = "" if exchange is None else exchange.reply.headers.get("date", "")
    if exchange is None or (theirs := _date(date)) is None:
        yield skipped("no answer tells the server's time")
        return
    skew_s = (exchange.at - theirs).total_seconds()
    if abs(skew_s) <= CLOCK_TOLERANCE_S + 0.5 + exchange.took_s / 2:
        yield ok("agrees with LangSmith's")
        return
    way = "ahead of" if skew_s > 0 else "behind"
    yield warning(
        f"{abs(skew_s):.0f} s {way} LangSmith's",
        "set the clock by NTP: runs stand at the wrong time, and children before their parents",
    )


def _date(text: str) -> datetime | None:
    """A ``Date`` header as the middle of the second it was cut to."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return aware + timedelta(seconds=0.5)


def canary(situation: Situation) -> Observations:
    """What became of the one run that was sent through the real pipeline."""
    sent = situation.canary
    if sent is None:
        asked = situation.account is not None
        yield skipped("no run was sent (--no-canary)" if asked else _why_not_asked(situation))
    elif not sent.run_id:
        remedy = "unset OTEL_SDK_DISABLED, and any OTEL_…_LIMIT that is no number"
        yield error("the SDK makes no spans here", remedy)
    elif sent.ledger.delivered:
        project = situation.settings.project
        yield ok(f"run {sent.run_id} was accepted, into project {project!r}")
    else:
        yield _undelivered(situation, sent.reply)


def _undelivered(situation: Situation, reply: Reply | None) -> Observation:
    if reply is None:
        return error("the run was never sent", "please report this")
    if reply.status in _REFUSED:
        known = situation.account is not None and situation.account.reply.status in _REFUSED
        again = error(f"the run was refused as well (HTTP {reply.status})", "see account")
        return again if known else _refusal(situation, reply)
    trouble = _trouble(reply)
    if trouble is not None:
        return trouble
    if reply.status == _NOT_FOUND:
        return error("there is no /runs/multipart at the endpoint (HTTP 404)", _WHERE)
    remedy = "does a gateway change requests, or is OTEL_EXPORTER_LANGSMITH_COMPRESSION refused?"
    return error(f"the run was refused (HTTP {reply.status})", remedy)


def read_back(situation: Situation) -> Observations:
    """Whether the run that was sent is there."""
    sent = situation.canary
    exchange = None if sent is None else sent.read_back
    if sent is None or exchange is None:
        yield skipped("no run was accepted that could be read")
        return
    told = document(exchange.reply)
    if told is not None:
        yield _same(sent.run_id, told)
    elif exchange.reply.status == _NOT_FOUND:
        yield warning(
            "the run was accepted, but cannot be read yet",
            f"LangSmith files runs late: look for it in project {situation.settings.project!r}",
        )
    elif exchange.reply.status in _REFUSED | _UNSERVED:
        yield skipped(f"this key or server lets no run be read (HTTP {exchange.reply.status})")
    else:
        yield warning(f"the run could not be read ({exchange.reply.summary})", "look for it there")


def _same(run_id: str, told: Mapping[str, Any]) -> Observation:
    strange = [name for name in ("id", "trace_id") if told.get(name) not in (run_id, None)]
    if strange:
        return warning(
            f"the run came back with another {strange[0]}",
            "does a gateway or proxy change requests?",
        )
    return ok("the run is there, under its own id")
