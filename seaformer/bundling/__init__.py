"""Putting an exported model into the Android app, and building the app without Google's Maven."""
