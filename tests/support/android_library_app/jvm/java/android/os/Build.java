package android.os;

/** Replaces Android's class on a computer. */
public class Build {
    public static final String FINGERPRINT = System.getProperty("fingerprint", "stand-in");

    public static class VERSION {
        public static final int SDK_INT = Integer.getInteger("sdk", 36);
    }
}
