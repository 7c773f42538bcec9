"""Traces and metrics by OpenTelemetry. Only `settings` and `start` are light; the rest is imported where it is on."""
