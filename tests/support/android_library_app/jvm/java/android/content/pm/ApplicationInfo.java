package android.content.pm;

/** Stands in for Android's on a computer. */
public class ApplicationInfo {
    public String nativeLibraryDir;

    public ApplicationInfo(String nativeLibraryDir) {
        this.nativeLibraryDir = nativeLibraryDir;
    }
}
