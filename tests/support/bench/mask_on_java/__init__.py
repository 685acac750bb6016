"""The mask computation of Android apps, in Kotlin and in C."""
