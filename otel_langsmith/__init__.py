"""OpenTelemetry spans as LangSmith runs."""
