"""Runs → parts → body, and what a reply means: LangSmith's ingest API as pure functions."""
