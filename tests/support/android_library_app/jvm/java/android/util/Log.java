package android.util;

/** Stands in for Android's on a computer. */
public class Log {
    public static int w(String tag, String message) {
        System.err.println(tag + ": " + message);
        return 0;
    }
}
