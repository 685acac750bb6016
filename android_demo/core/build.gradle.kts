import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_1_8
    }
}

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
}

dependencies {
    // On a phone, org.json is part of Android.
    compileOnly(libs.android.json)
    testImplementation(libs.android.json)
    testImplementation(libs.junit)
}

// Python writes the expected outputs: python -m android_golden FOLDER, in tests/support.
tasks.test {
    providers.gradleProperty("golden").orNull?.let { systemProperty("seaformer.golden", it) }
}
