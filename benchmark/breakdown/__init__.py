"""Latency of a model by module, including the time that is not attributed to any module."""
