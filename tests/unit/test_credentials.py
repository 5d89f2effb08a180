"""`credentials`: what is a secret goes, what merely sounds like one stays, in linear time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_langsmith.credentials import MARK, is_secret, without_credentials

KEY = "abc123DEF456ghi789JKL012mno345PQR678"

SECRETS = {
    "OpenAI": f"sk-proj-{KEY}",
    "Anthropic": f"sk-ant-api03-{KEY}",
    "LangSmith": "lsv2_pt_0123456789abcdef0123456789abcdef_0123456789",
    "AWS": "AKIA" + "ABCD1234EFGH5678",
    "Google": "AIza" + KEY[:35],
    "GitHub": f"ghp_{KEY}",
    "GitLab": "glpat-0123456789abcdefghij",
    "Slack": "xoxb-123456789012-abcdefghijkl",
    "Stripe": "sk_live_" + KEY[:24],
    "Hugging Face": f"hf_{KEY}",
    "SendGrid": f"SG.{KEY[:22]}.{KEY}",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("around", ["{}", "use {}, please", '{{"k": "{}"}}', "k={}&a=b", "({})"])
def test_a_token_is_known_by_its_looks(secret: str, around: str) -> None:
    assert secret[8:] not in without_credentials(around.format(secret))


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("password=hunter2", f"password={MARK}"),
        ('{"password": "it is \\"hunter2\\""}', f'{{"password": "{MARK}"}}'),
        (r"{\"api_key\": \"hunter2\"}", rf"{{\"api_key\": \"{MARK}\"}}"),
        ("Authorization: Basic aHVudGVyMg==", f"Authorization: {MARK}"),
        ("Authorization: Bearer hunter2", f"Authorization: {MARK}"),
        ("postgres://ada:hunter2@db/app", f"postgres://{MARK}@db/app"),
        ("AWS_SECRET_ACCESS_KEY='hunter2'", f"AWS_SECRET_ACCESS_KEY='{MARK}'"),
    ],
)
def test_a_secret_is_known_by_the_name_before_it(text: str, without: str) -> None:
    assert without_credentials(text) == without


@pytest.mark.parametrize("end", ["", "\n-----END RSA PRIVATE KEY-----"])
def test_a_private_key_goes_whole_even_if_it_was_cut(end: str) -> None:
    text = f"key: -----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4\n\n{KEY}{end}"
    assert without_credentials(text) == f"key: {MARK}"


@pytest.mark.parametrize(
    "text",
    [
        "the max_tokens of a basic understanding",
        "risk-assessment-management-planning of task-oriented-things",
        "How do I reset my password? The secret is to ask.",
        "https://example.com:8080/a?page=2",
        '{"input_tokens": 120, "token": "Paris", "tokens": ["a"]}',
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_credentials(text) == text


@given(st.text())
def test_any_text_comes_back_and_twice_is_once(text: str) -> None:
    once = without_credentials(text)
    assert without_credentials(once) == once


@pytest.mark.parametrize(
    "name", ["password", "api_key", "X-Api-Key", "openai.api_key", "github_token", "Authorization"]
)
def test_names_that_hold_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    ["token", "max_tokens", "key", "secretary", "ls_provider", "usage_metadata", "", "a" * 999],
)
def test_names_that_do_not(name: str) -> None:
    assert not is_secret(name)


NASTY = [
    *("eyJaaaaaaaa.", "eyJ-", "SG.", "sk-", "sk-a", "ghp_", "bearer ", "bearer aaaaaaaa ", "://a:"),
    *("://", "password", "password=", 'password="', "password='\\", "-----BEGIN PRIVATE KEY-----"),
    *("-----BEGIN ", "secret_access_", "api_key\\\\", "a", " ", "\\", '"', "AKIA", "_token", "x-"),
]


@pytest.mark.parametrize("piece", NASTY)
def test_no_text_takes_more_than_linear_time(piece: str) -> None:
    """Quadratic would be some minutes here; linear is some hundredths of a second."""
    began = time.thread_time()
    without_credentials(piece * (1_000_000 // len(piece)))
    is_secret(piece * (1_000_000 // len(piece)))
    assert time.thread_time() - began < 40
