"""The shop's search service: a second program, which the agent calls over HTTP.

Nothing here knows LangSmith. It is instrumented like any Flask app, and its spans belong to the
caller's OpenTelemetry trace because ``traceparent`` says so.
"""

from operator import mul
from typing import Final

import flask
from opentelemetry import trace

from otel_langsmith.demo.fake_model import embed

DOCUMENTS: Final = {
    "returns": "You can return any order within 30 days of delivery, in its original packaging.",
    "refunds": "A refund is paid to your card five working days after the returned parcel arrives.",
    "shipping": "Parcels leave our warehouse on the next working day and travel two to four days.",
    "warranty": "Electrical goods carry a warranty of two years against faults in manufacture.",
    "gift-cards": "Gift cards are valid for three years and cannot be exchanged for money.",
}

# What an indexing job would have stored, made with the model that the agent asks for its vector.
INDEX: Final = {name: embed(text) for name, text in DOCUMENTS.items()}

tracer = trace.get_tracer("shop.search")


def create_service() -> flask.Flask:
    """The service as a Flask app: ``POST /search`` with ``vector`` and ``top_k``."""
    # `flask.Flask`, looked up now: that name is what OpenTelemetry's FlaskInstrumentor replaces.
    app = flask.Flask("shop-search")
    app.add_url_rule("/search", view_func=search, methods=["POST"])
    return app


def search() -> flask.Response:
    """The documents nearest to the vector, best first."""
    asked = flask.request.get_json()
    with tracer.start_as_current_span("rank documents") as span:
        span.set_attribute("search.candidates", len(INDEX))
        ranked = rank(asked["vector"])[: asked["top_k"]]
    documents = [
        {"id": name, "score": round(score, 3), "content": DOCUMENTS[name]} for score, name in ranked
    ]
    return flask.jsonify(documents=documents)


def rank(vector: list[float]) -> list[tuple[float, str]]:
    """Every document's score and name, best first. All vectors have length one."""
    scores = ((sum(map(mul, vector, known)), name) for name, known in INDEX.items())
    return sorted(scores, reverse=True)
