"""The whole demo in one process: the model, the service and the agent, started and stopped."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from openai import OpenAI

from otel_langsmith.delivery.ledger import Ledger
from otel_langsmith.demo import agent, fake_model
from otel_langsmith.demo.service import create_service
from otel_langsmith.demo.serving import serving

QUESTION: Final = (
    "I want to return the desk lamp from order 1042. Is there still time, and when is my refund "
    "paid?"
)


def run(endpoint: str) -> tuple[str, Ledger]:
    """The agent's answer to `QUESTION`, and what became of its spans. Call it once a process."""
    _stay_on_this_machine()
    processor = agent.start_tracing(endpoint, api_key="demo")
    try:
        with _world() as (model, search_url):
            answer = agent.answer(QUESTION, model, search_url)
    finally:
        processor.shutdown()
    return answer, processor.ledger()


def _stay_on_this_machine() -> None:
    """No proxy is asked for loopback addresses, whatever the environment says of proxies."""
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1")))


@contextmanager
def _world() -> Iterator[tuple[OpenAI, str]]:
    """What the agent needs: a model to ask, and the address of the search service."""
    with (
        serving(fake_model.app) as model_url,
        serving(create_service()) as service_url,
        OpenAI(base_url=f"{model_url}/v1", api_key="none", max_retries=0) as model,
    ):
        yield model, f"{service_url}/search"
