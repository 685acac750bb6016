"""The mask of Android apps, in Kotlin and in C."""
