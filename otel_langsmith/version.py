"""The version of this package, read by the build and written into every run's runtime."""

__version__ = "0.1.0"
