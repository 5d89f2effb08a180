"""`settings`: who says a setting, what it may be, and what happens when it cannot be used."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_langsmith.conventions import Convention
from otel_langsmith.errors import ConfigurationError
from otel_langsmith.settings import SETTINGS, resolve

MINE = Convention(name="mine", spec="", rows=())
WORKSPACE = "019b7cbc-f1ae-7000-8000-000000000001"


def test_the_defaults() -> None:
    settings, problems = resolve({}, {})
    assert problems == ()
    assert settings.endpoint == "https://api.smith.langchain.com"
    assert settings.api_key is None
    assert settings.project == "default"
    assert settings.timeout == 10
    assert (settings.max_batch_runs, settings.max_batch_bytes) == (100, 20_971_520)
    assert (settings.max_held_spans, settings.max_held_bytes) == (50_000, 100_663_296)
    assert settings.max_held_seconds == 3600


def test_an_argument_wins_over_the_environment_and_ours_over_theirs() -> None:
    environ = {"LANGCHAIN_PROJECT": "c"}
    assert resolve({}, environ)[0].project == "c"
    environ["LANGSMITH_PROJECT"] = "b"
    assert resolve({}, environ)[0].project == "b"
    environ["OTEL_EXPORTER_LANGSMITH_PROJECT"] = "a"
    assert resolve({}, environ)[0].project == "a"
    assert resolve({"project": "argument"}, environ)[0].project == "argument"


def test_a_session_is_the_old_word_for_a_project() -> None:
    assert resolve({}, {"LANGCHAIN_SESSION": "s"})[0].project == "s"
    assert resolve({}, {"LANGSMITH_SESSION": "s", "LANGCHAIN_PROJECT": "p"})[0].project == "p"


@pytest.mark.parametrize("blank", ["", " ", "\t\n", '""', "''"])
def test_blank_means_unset(blank: str) -> None:
    environ = {"OTEL_EXPORTER_LANGSMITH_API_KEY": blank, "LANGSMITH_API_KEY": ' "key" '}
    assert resolve({"api_key": blank}, environ)[0].api_key == "key"


@pytest.mark.parametrize(
    ("endpoint", "resolved"),
    [
        ("https://eu.api.smith.langchain.com/", "https://eu.api.smith.langchain.com"),
        ("https://host/api/v1", "https://host/api/v1"),
        ("http://127.0.0.1:1984", "http://127.0.0.1:1984"),
        ("http://[::1]:1984//", "http://[::1]:1984"),
    ],
)
def test_a_path_prefix_is_kept(endpoint: str, resolved: str) -> None:
    assert resolve({"endpoint": endpoint}, {})[0].endpoint == resolved


@pytest.mark.parametrize(
    ("keyword", "value", "remedy"),
    [
        ("endpoint", "api.smith.langchain.com", "scheme and host"),
        ("endpoint", "ftp://host", "scheme and host"),
        ("endpoint", "https://", "scheme and host"),
        ("endpoint", "http://[::1", "Invalid IPv6"),
        ("endpoint", "https://host?key=1", "leave out"),
        ("endpoint", "https://host:99999", "Port out of range"),
        ("endpoint", "https://host:web", "could not be cast"),
        ("endpoint", "https://the host", "scheme and host"),
        pytest.param("timeout", 10**5000, "0.001 to 600", id="a number nobody can write"),
        ("endpoint", "https://ho\0st", "control characters"),
        ("api_key", "two\nlines", "control characters"),
        ("api_key", "schlüssel", "ASCII"),
        ("workspace_id", "mine", "UUID"),
        ("compression", "br", "none, gzip, zstd"),
        ("timeout", 0, "0.001 to 600"),
        ("timeout", "soon", "0.001 to 600"),
        ("timeout", float("nan"), "0.001 to 600"),
        ("timeout", True, "0.001 to 600"),
        ("headers", 7, "mapping"),
        ("headers", {"x": "a\r\nb: c"}, "control characters"),
        ("headers", "a:b=1", "letters, digits and hyphens"),
        ("headers", {"": "1"}, "letters, digits and hyphens"),
        ("session", "requests", "requests.Session"),
        ("hide_inputs", "perhaps", "true or false"),
        ("max_batch_runs", 0, "1 to 10000"),
        ("max_batch_runs", 2.7, "1 to 10000"),
        ("max_batch_bytes", 10**12, "1024 to"),
        ("max_held_spans", -1, "0 to"),
        ("max_held_seconds", float("inf"), "0 to"),
    ],
)
def test_an_unusable_argument_raises_and_says_what_to_do(
    keyword: str, value: Any, remedy: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve({keyword: value}, {})
    assert str(caught.value).startswith(f"{keyword} is ")
    assert remedy in str(caught.value)


def test_an_unusable_variable_is_named_and_the_application_lives() -> None:
    settings, problems = resolve({}, {"OTEL_EXPORTER_LANGSMITH_TIMEOUT": "soon"})
    assert settings.timeout == 10
    (problem,) = problems
    assert problem.startswith("OTEL_EXPORTER_LANGSMITH_TIMEOUT is 'soon': it must be a number from")
    assert problem.endswith("(going on with 10.0)")


def test_a_misspelt_endpoint_does_not_become_the_public_one() -> None:
    settings, problems = resolve({}, {"LANGSMITH_ENDPOINT": "langsmith.corp"})
    assert settings.endpoint is None
    assert len(problems) == 1


@pytest.mark.parametrize("what", ["INPUTS", "OUTPUTS", "METADATA"])
def test_an_unreadable_wish_to_hide_is_granted(what: str) -> None:
    settings, problems = resolve({}, {f"LANGSMITH_HIDE_{what}": "ja"})
    assert getattr(settings, f"hide_{what.lower()}") is True
    assert len(problems) == 1


def test_headers_are_read_as_opentelemetry_writes_them() -> None:
    environ = {"OTEL_EXPORTER_LANGSMITH_HEADERS": "X-Team=a%20b, x-other=c"}
    assert resolve({}, environ)[0].headers == {"x-team": "a b", "x-other": "c"}


@given(st.text(min_size=12, max_size=40, alphabet="abcdefghijklmnop"))
def test_secrets_never_show(secret: str) -> None:
    """Not in a repr and not in an error."""
    settings, _ = resolve(
        {"api_key": secret, "headers": {"authorization": secret}, "workspace_id": WORKSPACE}, {}
    )
    assert secret not in repr(settings)
    for unusable in (
        {"api_key": f"{secret}\n{secret}"},
        {"headers": f"{secret}\n"},
        {"endpoint": f"https://user:{secret}@host"},
        {"endpoint": f"https://host?api_key={secret}"},
        {"endpoint": f"lsv2_{secret}"},
        {"workspace_id": f"lsv2_{secret}"},
        {"timeout": f"lsv2_{secret}"},
    ):
        with pytest.raises(ConfigurationError) as caught:
            resolve(unusable, {})
        assert secret not in str(caught.value)


@given(
    st.dictionaries(
        st.sampled_from([name for row in SETTINGS for name in row.variables]), st.text()
    )
)
def test_no_environment_at_all_raises(environ: dict[str, str]) -> None:
    settings, problems = resolve({}, environ)
    assert len(problems) <= len(environ)
    assert settings.timeout > 0


def test_of_two_addresses_that_exclude_each_other_an_unusable_one_counts_for_nothing() -> None:
    usable = "https://langsmith.test"
    settings, problems = resolve(
        {}, {"LANGSMITH_ENDPOINT": usable, "LANGSMITH_RUNS_ENDPOINTS": "0"}
    )
    assert (settings.endpoint, settings.endpoints) == (usable, None)
    assert [problem.partition(" ")[0] for problem in problems] == ["LANGSMITH_RUNS_ENDPOINTS"]


def test_a_malformed_header_is_not_logged_either(caplog: pytest.LogCaptureFixture) -> None:
    """OpenTelemetry's own parser of this form logs what it cannot read."""
    _, problems = resolve({}, {"OTEL_EXPORTER_LANGSMITH_HEADERS": "x-api-key: sesame"})
    assert len(problems) == 1
    assert "sesame" not in problems[0] + caplog.text


@pytest.mark.parametrize(
    ("keyword", "said"),
    [
        ("redact", "secrets"),
        ("conventions", "gen_ai"),
        ("conventions", [1]),
        ("conventions", (MINE, MINE)),
    ],
)
def test_what_only_code_can_say_must_be_code(keyword: str, said: Any) -> None:
    with pytest.raises(ConfigurationError, match=keyword):
        resolve({keyword: said}, {})
    assert resolve({}, {f"LANGSMITH_{keyword.upper()}": "x"})[1] == ()


def test_a_convention_may_stand_alone() -> None:
    assert resolve({"conventions": MINE}, {})[0].conventions == (MINE,)
    assert resolve({"conventions": [MINE]}, {})[0].conventions == (MINE,)
