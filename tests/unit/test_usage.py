"""Usage objects, times and JSON of JSON: what dialects that write whole values have in common."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.spans import span

from otel_langsmith.conventions import payloads, retrieval, tokens
from otel_langsmith.conventions.dialects import langfuse
from otel_langsmith.conventions.json import decoded
from otel_langsmith.conventions.readers import UNREADABLE, as_instant
from otel_langsmith.identity import run_id_of
from otel_langsmith.lineage import root
from otel_langsmith.run import Run
from otel_langsmith.translate import translate

START = 1_767_225_600_000_000_000


def run_of(attributes: dict[str, Any]) -> Run:
    one = span(1, start=START, attributes=attributes)
    return translate(one, root(run_id_of(1), START))


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (
            {
                "prompt_tokens": 120,
                "completion_tokens": 30,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 7},
                "completion_tokens_details": {"reasoning_tokens": 11, "rejected": 0},
            },
            {
                "usage.input_tokens": 120,
                "usage.output_tokens": 30,
                "usage.total_tokens": 150,
                "usage.input_token_details.cache_read": 64,
                "usage.input_token_details.audio": 7,
                "usage.output_token_details.reasoning": 11,
            },
        ),
        (
            '{"input_tokens": 20, "cache_creation": {"ephemeral_1h_input_tokens": 36}}',
            {
                "usage.input_tokens": 20,
                "usage.input_token_details.ephemeral_1h_input_tokens": 36,
            },
        ),
        ({"new": {"kind": 3}, "tier": "x"}, {"metadata.m": {"new.kind": 3, "tier": "x"}}),
    ],
)
def test_usage_objects_are_read_by_name(usage: Any, counts: dict[str, Any]) -> None:
    assert tokens.usage("m")(usage) == counts


@pytest.mark.parametrize(
    ("buckets", "read", "written", "details"),
    [
        ({"input": 49, "output": 14, "input_audio": 7, "input_cache_read": 64}, 120, 14, (64, 7)),
        ({"input": 10, "output": 5, "cache_read_input_tokens": 3}, 13, 5, (3, None)),
        ({"input": 1, "input_priority_cache_read": 9}, 1, None, (None, None)),
        ({"input": 8}, 8, None, (None, None)),
    ],
)
def test_the_buckets_of_langfuse_exclude_each_other(
    buckets: dict[str, int], read: int, written: int | None, details: tuple[Any, Any]
) -> None:
    fields = langfuse.usage(buckets)
    assert (fields.get("usage.input_tokens"), fields.get("usage.output_tokens")) == (read, written)
    found = (fields.get(f"usage.input_token_details.{name}") for name in ("cache_read", "audio"))
    assert tuple(found) == details


def test_what_was_written_to_the_cache_is_counted_once() -> None:
    about = "usage.cache_creation.ephemeral_"
    run = run_of(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 120,
            "gen_ai.usage.output_tokens": 30,
            "gen_ai.usage.cache_write.input_tokens": 40,
            f"anthropic.{about}5m_input_tokens": 30,
            f"anthropic.{about}1h_input_tokens": 6,
        }
    )
    assert run.metadata["usage_metadata"]["input_token_details"] == {
        "cache_creation": 4,
        "ephemeral_5m_input_tokens": 30,
        "ephemeral_1h_input_tokens": 6,
    }


@pytest.mark.parametrize(
    ("told", "read", "written"),
    [
        ({"total": 150, "completion_details.reasoning": 11}, 120, 30),
        ({"completion_details.reasoning": 11}, 120, 41),
        ({"total": 150}, 109, 41),
        ({"total": 140, "completion_details.reasoning": 21}, 99, 41),
        (
            {"total": 150, "completion_details.reasoning": 11, "prompt_details.cache_read": 11},
            109,
            41,
        ),
    ],
)
def test_thoughts_that_the_total_has_once_are_counted_once(
    told: dict[str, int], read: int, written: int
) -> None:
    """Google's ADK adds the thoughts of LiteLLM's models to an answer that has them already."""
    counts = {f"llm.token_count.{name}": count for name, count in told.items()}
    adk = {"gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 41}
    run = run_of({"gen_ai.operation.name": "generate_content", **adk, **counts})
    usage = run.metadata["usage_metadata"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (read, written)
    assert usage["total_tokens"] == told.get("total", read + written)


def test_details_that_say_nothing_are_no_usage() -> None:
    metadata = run_of({"gen_ai.usage.cache_read.input_tokens": 0}).metadata
    assert not {"aggregated_usage", "usage_metadata"} & metadata.keys()


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-01-01T00:00:01+00:00", START + 10**9),
        ('"2026-01-01T00:00:00.250000Z"', START + 250_000_000),
        ("2026-01-01T00:00:00", START),
        ("soon", UNREADABLE),
        (5, UNREADABLE),
    ],
)
def test_points_in_time(text: Any, ns: Any) -> None:
    assert as_instant(text) == ns


def test_the_first_token_may_be_told_by_the_clock() -> None:
    key = "langfuse.observation.completion_start_time"
    (event,) = run_of({key: '"2026-01-01T00:00:00.250000Z"'}).events
    assert event == {"name": "new_token", "time": "2026-01-01T00:00:00.250000Z"}
    assert not run_of({key: '"1999-01-01T00:00:00Z"'}).events


def test_a_level_fails_a_run_whatever_its_status() -> None:
    said = {"langfuse.observation.status_message": "boom", "langfuse.observation.level": "ERROR"}
    assert run_of(said).error == "boom"
    assert run_of({**said, "langfuse.observation.level": "WARNING"}).error is None


def test_mlflow_decodes_what_nobody_knows_but_no_secret_of_a_url() -> None:
    run = run_of(
        {
            "mlflow.spanType": '"TOOL"',
            "mine": '"text"',
            "url.full": "https://host/?api_key=hunter2",
        }
    )
    assert run.metadata["mine"] == "text"
    assert "hunter2" not in repr(run)


@given(st.text() | st.none() | st.integers() | st.lists(st.text()))
def test_readers_of_whole_values_never_raise(value: Any) -> None:
    for read in (
        *(
            decoded,
            as_instant,
            payloads.request_or_text,
            payloads.response_or_text,
            payloads.tools,
        ),
        *(langfuse.usage, tokens.usage("m"), retrieval.embedded, retrieval.embedded_texts),
    ):
        read(value)
