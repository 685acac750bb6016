import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

// Android 12: the first version that reports its chip, and that LiteRT's NPU runtime supports.
val npuMinSdk = 31

// The runtime whose NPU libraries are added: -Pnpu=litert or -Pnpu=onnxruntime. Not both, as they
// need different versions of Qualcomm's libraries.
val npu: String? = providers.gradleProperty("npu").orNull
require(npu == null || npu == "litert" || npu == "onnxruntime") {
    "-Pnpu is '$npu'. Allowed: litert, onnxruntime."
}

android {
    namespace = "seaformer.demo"
    compileSdk =
        libs.versions.compileSdk
            .get()
            .toInt()

    defaultConfig {
        applicationId = "seaformer.demo"
        minSdk =
            if (npu == null) {
                libs.versions.minSdk
                    .get()
                    .toInt()
            } else {
                npuMinSdk
            }
        targetSdk =
            libs.versions.targetSdk
                .get()
                .toInt()
        versionCode =
            libs.versions.appVersionCode
                .get()
                .toInt()
        versionName = libs.versions.appVersionName.get()
        ndk {
            abiFilters += if (npu == null) listOf("arm64-v8a", "x86_64") else listOf("arm64-v8a")
        }
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "proguard-rules.pro")
            // The project has no release key; replace this to publish.
            signingConfig = signingConfigs.getByName("debug")
        }
    }

    androidResources {
        // LiteRT maps the model from the APK.
        noCompress += listOf("tflite", "onnx")
    }

    packaging {
        jniLibs {
            // Libraries are mapped from the APK, unless there is one for the Hexagon: another process
            // loads it, which needs an extracted file.
            useLegacyPackaging = npu != null
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_1_8
    }
}

dependencies {
    implementation(project(":core"))
    implementation(libs.litert)
    implementation(libs.litert.gpu)
    if (npu == "onnxruntime") implementation(libs.onnxruntime.qnn) else implementation(libs.onnxruntime)
    if (npu == "litert") {
        implementation(libs.litert.npu)
        implementation(libs.qnn)
    }
}
