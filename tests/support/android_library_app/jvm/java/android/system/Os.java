package android.system;

/**
 * Stands in for Android's on a computer, where the environment of a process is fixed. An interface,
 * as the framework stub, which has no constructor of it, takes it for one.
 */
public interface Os {
    static void setenv(String name, String value, boolean overwrite) {}
}
