package android.system;

/**
 * Replaces Android's class on a computer, where a process cannot change its environment. It is an
 * interface, because the framework stub, which has no constructor for it, declares it as one.
 */
public interface Os {
    static void setenv(String name, String value, boolean overwrite) {}
}
