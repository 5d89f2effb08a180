"""``otel-langsmith doctor`` against servers good and rude, as a user and as CI run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
from support.rude_server import deaf_address, rude_server

from otel_langsmith.doctor import CHECKS, examine, probe
from otel_langsmith.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

KEY = "lsv2_pt_0123456789abcdef0123456789abcdef_0123456789"
WORKSPACE = "7f3b1a52-0000-4000-8000-00000000cafe"
GATEWAY_SECRET = "t0p-s3cret"
LONG_AGO = 1_700_000_000


@pytest.fixture(scope="module")
def langsmith() -> Iterator[Receiver]:
    """One that demands a key and a workspace, as LangSmith does of a key that spans several."""
    with Receiver(api_keys=[KEY], workspace_id=WORKSPACE) as running:
        yield running


def doctor(*arguments: str, **environ: str) -> Result:
    pytest.importorskip("click")
    from click.testing import CliRunner  # noqa: PLC0415 - with the extra only

    from otel_langsmith.commands import command_line  # noqa: PLC0415

    # a terminal of its own width, no colours, and no proxy between us and this machine
    runner = CliRunner(env={"COLUMNS": "120", "NO_COLOR": "1", "NO_PROXY": "*", **environ})
    done = runner.invoke(command_line, ["doctor", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert KEY not in done.output
    assert GATEWAY_SECRET not in done.output
    return done


def findings(done: Result) -> dict[str, dict[str, Any]]:
    """The findings of ``--json`` by check; the worst of a check's, if there are several."""
    rank = ("skipped", "ok", "warning", "error")
    told = sorted(
        json.loads(done.stdout)["findings"], key=lambda found: rank.index(found["verdict"])
    )
    return {found["check"]: found for found in told}


def of(receiver: Receiver, **others: str) -> dict[str, str]:
    known = {"LANGSMITH_ENDPOINT": receiver.url, "LANGSMITH_API_KEY": KEY}
    return {**known, "LANGSMITH_WORKSPACE_ID": WORKSPACE, **others}


def test_all_is_well_and_the_run_is_there(langsmith: Receiver) -> None:
    done = doctor(**of(langsmith, LANGSMITH_PROJECT="shop"))
    assert done.exit_code == 0, done.output
    assert "no problems, " in done.stdout.splitlines()[-1]
    [run] = langsmith.store.runs(limit=1)
    assert (run.name, run.project) == ("otel-langsmith doctor", "shop")
    assert run.id in done.stdout
    assert run.tags == ["otel-langsmith-doctor"]
    assert "sent_by" in run.metadata
    assert "the run is there" in done.stdout
    assert done.stderr == ""


def test_json_is_a_promise(langsmith: Receiver) -> None:
    """Schema 1: these keys, these checks in this order, these four verdicts; pure ASCII."""
    done = doctor("--json", **of(langsmith))
    told = json.loads(done.stdout)
    assert sorted(told) == ["findings", "passed", "schema", "version"]
    assert (told["schema"], told["passed"], done.exit_code) == (1, True, 0)
    assert {tuple(found) for found in told["findings"]} == {
        ("check", "verdict", "found", "remedy"),
    }
    names = [found["check"] for found in told["findings"]]
    assert list(dict.fromkeys(names)) == [name for name, _ in CHECKS]
    assert {found["verdict"] for found in told["findings"]} <= {"ok", "warning", "error", "skipped"}
    assert done.stdout.isascii()


def test_the_names_of_the_checks_stay() -> None:
    assert [name for name, _ in CHECKS] == [
        *("settings", "key", "endpoint", "workspace", "connection", "server", "account", "clock"),
        *("versions", "packages", "distro", "exporter", "propagators", "native-tracing"),
        *("second-exporter", "instrumentations", "content", "canary", "read-back"),
    ]


def test_no_canary_sends_nothing(langsmith: Receiver) -> None:
    before = len(langsmith.store.runs())
    seen = findings(doctor("--json", "--no-canary", **of(langsmith)))
    assert (seen["canary"]["verdict"], seen["account"]["verdict"]) == ("skipped", "ok")
    assert len(langsmith.store.runs()) == before


def test_a_warning_fails_only_when_strict(langsmith: Receiver) -> None:
    environ = of(langsmith, LANGSMITH_API_URL="x")
    assert doctor("--no-canary", **environ).exit_code == 0
    assert doctor("--no-canary", "--strict", **environ).exit_code == 1


def test_a_refused_key_is_a_problem_named_once(langsmith: Receiver) -> None:
    done = doctor("--json", **of(langsmith, LANGSMITH_API_KEY="another"))
    seen = findings(done)
    assert done.exit_code == 1
    assert "refused (HTTP 403)" in seen["account"]["found"]
    assert (seen["canary"]["verdict"], seen["canary"]["remedy"]) == ("error", "see account")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("workspace", "words"),
    [("", "LANGSMITH_WORKSPACE_ID"), (WORKSPACE.replace("cafe", "beef"), "Does it belong")],
)
def test_a_workspace_that_is_missing_or_wrong(
    langsmith: Receiver, workspace: str, words: str
) -> None:
    done = doctor("--json", **of(langsmith, LANGSMITH_WORKSPACE_ID=workspace))
    assert words in findings(done)["account"]["remedy"]
    assert done.exit_code == 1


def test_without_a_key_nothing_is_asked_that_needs_one(langsmith: Receiver) -> None:
    seen = findings(doctor("--json", **of(langsmith, LANGSMITH_API_KEY="")))
    assert seen["key"]["verdict"] == "error"
    assert seen["connection"]["verdict"] == "ok"
    assert (seen["account"]["verdict"], seen["canary"]["verdict"]) == ("skipped", "skipped")


def test_a_key_of_another_vendors_is_not_sent_to_langsmith(langsmith: Receiver) -> None:
    before = len(langsmith.store.requests())
    seen = findings(doctor("--json", **of(langsmith, LANGSMITH_API_KEY="sk-ant-api03-secret")))
    assert "Anthropic" in seen["key"]["found"]
    assert seen["account"]["verdict"] == "skipped"
    assert [made.path for made in langsmith.store.requests()[before:]] == ["/info"]


def test_a_key_in_a_header_is_a_key(langsmith: Receiver) -> None:
    headers = f"x-api-key={KEY},x-gateway={GATEWAY_SECRET}"
    done = doctor("--json", **of(langsmith, LANGSMITH_API_KEY="", LANGSMITH_HEADERS=headers))
    assert done.exit_code == 0, done.stdout


@pytest.mark.parametrize(
    ("path", "nearest"), [("/otel", ""), ("/api/v1/otel", "/api/v1"), ("/x/y/z", "")]
)
def test_the_address_beside_it_that_works_is_found(
    langsmith: Receiver, path: str, nearest: str
) -> None:
    seen = findings(doctor("--json", **of(langsmith, LANGSMITH_ENDPOINT=langsmith.url + path)))
    assert seen["connection"]["verdict"] == "error"
    assert f"LANGSMITH_ENDPOINT={langsmith.url}{nearest}," in seen["connection"]["remedy"]
    assert seen["account"]["verdict"] == "skipped"


def test_a_path_that_serves_is_taken_as_it_is(langsmith: Receiver) -> None:
    environ = of(langsmith, LANGSMITH_ENDPOINT=f"{langsmith.url}/api/v1/")
    assert doctor(**environ).exit_code == 0


def test_a_disabled_sdk_makes_no_run(langsmith: Receiver) -> None:
    done = doctor("--json", **of(langsmith, OTEL_SDK_DISABLED="true"))
    assert "OTEL_SDK_DISABLED" in findings(done)["canary"]["remedy"]
    assert done.exit_code == 1


def test_a_limit_that_is_none_makes_no_run(langsmith: Receiver) -> None:
    done = doctor("--json", **of(langsmith, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="-1"))
    assert findings(done)["canary"]["verdict"] == "error"


def test_the_sampler_does_not_keep_the_run_back(langsmith: Receiver) -> None:
    seen = findings(doctor("--json", **of(langsmith, OTEL_TRACES_SAMPLER="always_off")))
    assert (seen["exporter"]["verdict"], seen["canary"]["verdict"]) == ("warning", "ok")


def test_an_environment_can_be_handed_in(langsmith: Receiver) -> None:
    found = examine(of(langsmith, LANGSMITH_PROJECT="handed in"), timeout_s=30, send=True)
    assert found.canary
    assert found.canary.ledger.delivered == 1
    assert langsmith.store.runs(limit=1)[0].project == "handed in"
    assert KEY not in repr(found)


def test_each_of_several_destinations_is_asked_and_named(langsmith: Receiver) -> None:
    with deaf_address() as url:
        each = [
            {"api_url": langsmith.url, "api_key": KEY, "workspace_id": WORKSPACE},
            {"api_url": url, "api_key": KEY},
        ]
        done = doctor("--json", LANGSMITH_RUNS_ENDPOINTS=json.dumps(each))
        assert done.exit_code == 1
        told = json.loads(done.stdout)["findings"]
        by_check = {
            name: [(found["verdict"], found["found"]) for found in told if found["check"] == name]
            for name in ("connection", "canary", "key", "versions")
        }
        assert [verdict for verdict, _ in by_check["connection"]] == ["ok", "error"]
        assert [verdict for verdict, _ in by_check["canary"]] == ["ok", "skipped"]
        assert by_check["connection"][1][1].startswith(f"{url}: ")
        assert "its api_key in LANGSMITH_RUNS_ENDPOINTS" in by_check["key"][0][1]
        assert len(by_check["versions"]) == 1


def test_a_run_that_is_filed_late_is_only_a_warning(
    langsmith: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "READ_BACK_S", 0.0)
    monkeypatch.setattr(langsmith.store, "run", lambda _: None)
    done = doctor("--json", **of(langsmith))
    assert findings(done)["read-back"]["verdict"] == "warning"
    assert done.exit_code == 0


def response(status: str, body: str = "{}", **headers: str) -> list[bytes | None]:
    said = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in said.items()]
    return ["\r\n".join([f"HTTP/1.1 {status}", *lines, "Connection: close", "", body]).encode()]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (response("200 OK", "<html>", Content_Type="text/html"), "web page"),
        (response("503 Service Unavailable"), "HTTP 503"),
        (response("302 Found", Location="https://elsewhere.example/login?k=1"), "elsewhere"),
        (response("200 OK", "pong"), "not as LangSmith"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "hung up"),
        ([], "hung up"),
    ],
    ids=["html", "503", "redirect", "text", "ssh", "silence"],
)
def test_who_is_not_langsmith_is_named_and_never_shown_the_key(
    script: list[bytes | None], words: str
) -> None:
    with rude_server(script) as server:
        done = doctor("--json", LANGSMITH_ENDPOINT=server.url, LANGSMITH_API_KEY=KEY)
        asked = server.requests
    seen = findings(done)
    assert words in seen["connection"]["found"]
    assert (seen["account"]["verdict"], seen["canary"]["verdict"]) == ("skipped", "skipped")
    assert done.exit_code == 1
    assert asked <= 3, "only /info, here and beside"


def test_a_server_that_stalls_is_given_up() -> None:
    with rude_server([], hangs_up=False) as server:
        done = doctor("--json", "--timeout", "0.3", LANGSMITH_ENDPOINT=server.url)
    assert "did not answer in time" in findings(done)["connection"]["found"]


def test_a_port_where_nobody_listens() -> None:
    with deaf_address() as url:
        done = doctor("--json", LANGSMITH_ENDPOINT=url, LANGSMITH_API_KEY=KEY)
    assert "connection refused" in findings(done)["connection"]["found"]


def test_http_where_tls_is_expected(langsmith: Receiver) -> None:
    url = langsmith.url.replace("http:", "https:")
    done = doctor("--json", LANGSMITH_ENDPOINT=url, LANGSMITH_API_KEY=KEY)
    assert "does not speak TLS" in findings(done)["connection"]["found"]


def test_a_proxy_that_is_dead() -> None:
    """Its password is in the exception's text, and in nothing that is said."""
    with deaf_address() as url:
        proxy = url.replace("//", f"//me:{GATEWAY_SECRET}@")
        environ = {"http_proxy": proxy, "NO_PROXY": "", "no_proxy": ""}
        done = doctor("--json", LANGSMITH_ENDPOINT="http://127.0.0.2:9", **environ)
    assert "proxy" in findings(done)["connection"]["found"]


def test_a_clock_that_is_wrong() -> None:
    script = response("200 OK", '{"version": "1"}', Date=formatdate(LONG_AGO, usegmt=True))
    with rude_server(script) as server:
        done = doctor("--json", LANGSMITH_ENDPOINT=server.url)
    assert "ahead of LangSmith's" in findings(done)["clock"]["found"]


def test_what_is_installed_here_is_read() -> None:
    found = examine({"LANGSMITH_ENDPOINT": "no url"}, timeout_s=1, send=False)
    assert found.installed["opentelemetry-sdk"].version
    assert any("opentelemetry-sdk" in text for text in found.installed["otel-langsmith"].requires)
    assert {"langsmith", "tracecontext"} <= found.plugin_names("opentelemetry_propagator")
    assert found.info is None


@pytest.mark.programs
def test_in_a_process_of_its_own(langsmith: Receiver) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "otel_langsmith.cli", "doctor"],
        env={**os.environ, **of(langsmith)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "no problems" in done.stdout
