"""Latency of exported models on phones and on this computer: knows files, not torch."""
