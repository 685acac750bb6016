package android.content.pm;

/** Replaces Android's class on a computer. */
public class ApplicationInfo {
    public String nativeLibraryDir;

    public ApplicationInfo(String nativeLibraryDir) {
        this.nativeLibraryDir = nativeLibraryDir;
    }
}
