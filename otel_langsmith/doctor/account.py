"""Checks of settings, key, endpoint and workspace, before any request is made. Pure."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from otel_langsmith.doctor.situation import (
    Observation,
    Observations,
    Situation,
    error,
    ok,
    warning,
)
from otel_langsmith.settings import PREFIXES, SETTINGS, Setting

REGIONS: Final[Mapping[str, str]] = {
    "api.smith.langchain.com": "US",
    "eu.api.smith.langchain.com": "EU",
    "apac.api.smith.langchain.com": "APAC",
    "aws.api.smith.langchain.com": "AWS US",
}
"""LangSmith's cloud: https://docs.langchain.com/langsmith/cloud"""

KEY_HEADERS: Final = frozenset({"x-api-key", "authorization", "x-service-key", "cookie"})

_LOOPBACK: Final = re.compile(r"localhost|127(\.\d+){3}|::1|.+\.localhost")
_WEB_HOST: Final = re.compile(r"(?:(eu|apac|aws)\.)?smith\.langchain\.com")
_ADDED: Final = re.compile(
    r"/(otel(/v1(/traces)?)?|v1/traces|runs(/(batch|multipart))?|info|sessions)$"
)
"""Ends of an address that are the client's to add."""

_LANGSMITH_KEY: Final = re.compile(r"lsv2_(pt|sk)_[A-Za-z0-9]{32}(_[A-Za-z0-9]+)+")
"""As LangSmith's own SDK recognises them in order to mask them."""

_PLACEHOLDER: Final = re.compile(
    r"<.*>|\$\{?\w+\}?|\.{3}|…|x{3,}"
    r"|(your|my|the)?[-_ ]*(langsmith)?[-_ ]*(api)?[-_ ]*key([-_ ]*here)?"
    r"|lsv2_(pt|sk)?_?(\.{3}|…|x*)|change[-_ ]?me|todo|none|null|undefined",
    re.IGNORECASE,
)

_OTHERS: Final = (
    ("sk-ant-", "Anthropic"),
    ("sk-lf-", "Langfuse"),
    ("pk-lf-", "Langfuse"),
    ("sk-or-", "OpenRouter"),
    ("sk-", "OpenAI"),
    ("gsk_", "Groq"),
    ("xai-", "xAI"),
    ("hf_", "Hugging Face"),
    ("AIza", "Google"),
    ("AKIA", "AWS"),
    ("ghp_", "GitHub"),
    ("github_pat_", "GitHub"),
    ("pylf_", "Logfire"),
    ("tvly-", "Tavily"),
)
"""How keys of other vendors begin; the first match wins."""

_MISSPELT: Final[Mapping[str, str]] = {
    "LANGSMITH_APIKEY": "LANGSMITH_API_KEY",
    "LANGSMITH_KEY": "LANGSMITH_API_KEY",
    "LANGSMITH_TOKEN": "LANGSMITH_API_KEY",
    "LANGSMITH_URL": "LANGSMITH_ENDPOINT",
    "LANGSMITH_API_URL": "LANGSMITH_ENDPOINT",
    "LANGSMITH_BASE_URL": "LANGSMITH_ENDPOINT",
    "LANGSMITH_TENANT_ID": "LANGSMITH_WORKSPACE_ID",
    "LANGSMITH_WORKSPACE": "LANGSMITH_WORKSPACE_ID",
    "LANGSMITH_PROJECT_NAME": "LANGSMITH_PROJECT",
}
"""Common misspellings that no other program reads."""

_GET_A_KEY: Final = "make one on LangSmith's settings page and set LANGSMITH_API_KEY"


class Place(NamedTuple):
    """Where an endpoint is: its host, and the region if it is LangSmith's own cloud."""

    host: str
    path: str
    region: str | None
    local: bool


def place_of(endpoint: str) -> Place:
    """What an endpoint's address tells."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    local = _LOOPBACK.fullmatch(host) is not None
    return Place(host, parts.path, REGIONS.get(host), local)


def settings(situation: Situation) -> Observations:
    """Unusable values, variables that shadow each other, names that nobody reads."""
    own = ("API_KEY is", "ENDPOINT is", "WORKSPACE_ID is")
    told = [problem for problem in situation.problems if not any(w in problem for w in own)]
    seen = [
        *(error(problem, "correct or unset the variable") for problem in told),
        *_shadowed(situation),
        *_unread(situation.environ),
    ]
    yield from seen or [ok("every variable has a valid value")]


def _shadowed(situation: Situation) -> Observations:
    for row in SETTINGS:
        ours = [name for name in row.variables if name not in row.also]
        winner = next(filter(situation.said, ours), "")
        losers = (name for name in ours if situation.said(name) not in ("", situation.said(winner)))
        for name in losers:
            yield warning(
                f"{winner} and {name} differ; the first one counts",
                f"unset the one you do not mean (LangSmith's own SDK reads {_sdk_reads(row)})",
            )


def _sdk_reads(row: Setting) -> str:
    return " and ".join(prefix + row.suffixes[0] for prefix in PREFIXES[1:])


def _unread(environ: Mapping[str, str]) -> Observations:
    known = {name for row in SETTINGS for name in row.variables}
    for name in sorted(environ):
        meant = _MISSPELT.get(name)
        if name.startswith(PREFIXES[0]) and name not in known:
            meant = next(iter(get_close_matches(name, known, 1)), "")
        if meant is not None:
            remedy = f"did you mean {meant}?" if meant else "unset it; README lists the settings"
            yield warning(f"nothing reads {name}", remedy)


def key(situation: Situation) -> Observations:
    """Whether there is a key and it looks like one of LangSmith's; it is never shown."""
    text = situation.settings.api_key
    unusable = [problem for problem in situation.problems if "API_KEY is" in problem]
    if unusable:
        yield error(unusable[0], "set it again, without line breaks or quotes inside")
    elif text is not None:
        yield _looked_at(text, situation)
    elif KEY_HEADERS & {name.lower() for name in situation.settings.headers}:
        yield ok("LANGSMITH_API_KEY is not set, but the extra headers carry credentials")
    else:
        local = situation.settings.endpoint and place_of(situation.settings.endpoint).local
        remedy = "any text will do here: set LANGSMITH_API_KEY=local" if local else _GET_A_KEY
        yield error("LANGSMITH_API_KEY is not set, so no run is sent", remedy)


def _looked_at(text: str, situation: Situation) -> Observation:
    name = _source(situation, "api_key")
    place = place_of(situation.settings.endpoint or "")
    if fault := _fault(text, place):
        return error(f"{name} {fault[0]}", fault[1])
    if text.startswith("lsv2_"):
        return _langsmiths(name, text)
    if text.startswith("ls__"):
        return warning(f"{name} is of the old kind (ls__…)", "it may be refused: make a new one")
    if place.region:
        return warning(f"{name} does not look like LangSmith's (lsv2_…)", _GET_A_KEY)
    return ok(f"{name} is set")


def _fault(text: str, place: Place) -> tuple[str, str] | None:
    """Why it cannot be a key of LangSmith's, and what to do."""
    if any(map(str.isspace, text)):
        return "holds white space", "set the bare key, without the word Bearer"
    if _PLACEHOLDER.fullmatch(text) and not place.local:
        return "is a placeholder", _GET_A_KEY
    vendor = next((vendor for start, vendor in _OTHERS if text.startswith(start)), None)
    return None if vendor is None else (f"looks like a key of {vendor}'s", _GET_A_KEY)


def _langsmiths(name: str, text: str) -> Observation:
    if not _LANGSMITH_KEY.fullmatch(text):
        return warning(f"{name} has an unusual length or form", "was it copied whole?")
    kind = "personal access token" if text.startswith("lsv2_pt") else "service key"
    return ok(f"{name} is a {kind}")


def _source(situation: Situation, keyword: str) -> str:
    row = next(row for row in SETTINGS if row.keyword == keyword)
    if situation.settings.endpoints:
        return "LANGSMITH_API_KEY"  # as it would be called were there one destination
    return next(filter(situation.said, row.variables), keyword)


def endpoint(situation: Situation) -> Observations:
    """Whether the address can be that of LangSmith's API."""
    url = situation.settings.endpoint
    if url is None:
        found = next((p for p in situation.problems if "ENDPOINT is" in p), "no endpoint")
        yield error(found, "set LANGSMITH_ENDPOINT=https://api.smith.langchain.com, or your own")
    else:
        yield _judged(url, place_of(url))


def _judged(url: str, place: Place) -> Observation:
    web, added = _WEB_HOST.fullmatch(place.host), _ADDED.search(place.path)
    if web:
        region = f"{web[1]}." if web[1] else ""
        remedy = f"set LANGSMITH_ENDPOINT=https://{region}api.smith.langchain.com"
        return error(f"{url} is LangSmith's web page, not its API", remedy)
    if added:
        remedy = f"set LANGSMITH_ENDPOINT={url[: -len(added[0])]}"
        return error(f"{url} ends in {added[0]}, which is added by the exporter", remedy)
    if not place.local and url.startswith("http:"):
        remedy = f"set LANGSMITH_ENDPOINT=https:{url.partition(':')[2]}"
        return warning(f"{url} sends the key and all content in the clear", remedy)
    if place.region:
        return ok(f"{url} (LangSmith's cloud, {place.region})")
    if place.host.endswith("langchain.com"):
        remedy = f"the regions are {', '.join(f'https://{host}' for host in REGIONS)}"
        return warning(f"{url} is no region of LangSmith's cloud that is known here", remedy)
    return ok(f"{url} ({'this machine' if place.local else 'self-hosted'})")


def workspace(situation: Situation) -> Observations:
    """Whether the workspace is a UUID; whether one is needed is the server's to say."""
    unusable = [problem for problem in situation.problems if "WORKSPACE_ID is" in problem]
    if unusable:
        yield error(unusable[0], "copy the workspace's id from LangSmith's settings page")
    elif situation.settings.workspace_id:
        yield ok(f"{situation.settings.workspace_id}")
    elif (situation.settings.api_key or "").startswith("lsv2_sk_"):
        yield ok("not set", "a service key of the whole organisation needs LANGSMITH_WORKSPACE_ID")
    else:
        yield ok("not set: the key's own workspace")
