"""The smoke build: builds an APK from the app's sources without access to Gradle's repositories.

Gradle is the product build. The smoke build verifies in CI that the sources compile, that the
framework has all methods and fields they use, and that the result is a signed, aligned APK. LiteRT
is only in Google's Maven repository, so this APK runs only .onnx models.
"""
