"""The program behind ``otel-langsmith demo``: an agent, a service and a model, all on this machine.

`agent` is the part to read first, and to copy from.
"""
