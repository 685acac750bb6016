package android.util;

/** Replaces Android's class on a computer. */
public class Log {
    public static int w(String tag, String message) {
        System.err.println(tag + ": " + message);
        return 0;
    }
}
