"""The program that measures on the device, and its Python interface."""
