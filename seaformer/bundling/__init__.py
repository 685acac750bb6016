"""Bundling exported models into the Android app or a library, and building the app's APK."""
