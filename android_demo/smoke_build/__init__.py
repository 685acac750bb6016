"""The smoke build: an APK of the app's own sources where Gradle's repositories are out of reach.

Gradle is the product build. This one proves in CI that the sources compile, that the framework has
all they refer to, and that what comes out is a signed, aligned APK. It has no LiteRT, which is in
Google's Maven repository only, so it runs .onnx models.
"""
