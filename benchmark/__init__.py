"""Latency of exported models on phones and on this computer; depends on files, not on torch."""
