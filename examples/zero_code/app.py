"""A service that knows nothing of OpenTelemetry, nor of LangSmith. See README.md beside it."""

import requests
from flask import Flask, url_for

app = Flask("shop")


@app.get("/")
def order() -> str:
    """Asks itself, as it would another service."""
    return requests.get(url_for("stock", _external=True), timeout=10).text


@app.get("/stock")
def stock() -> str:
    """What the other service would do."""
    return "in stock"
