"""The program that runs on the device and measures, and what Python knows of it."""
