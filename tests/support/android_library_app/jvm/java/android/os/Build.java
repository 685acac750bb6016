package android.os;

/** Stands in for Android's on a computer. */
public class Build {
    public static final String FINGERPRINT = System.getProperty("fingerprint", "stand-in");

    public static class VERSION {
        public static final int SDK_INT = Integer.getInteger("sdk", 36);
    }
}
