package android.graphics;

/** Replaces Android's class on a computer. As on Android, pixels of hardware bitmaps cannot be read. */
public class Bitmap {
    public enum Config {
        ARGB_8888,
        HARDWARE
    }

    private final int[] pixels;
    private final int width;
    private final int height;
    private final Config config;

    private Bitmap(int[] pixels, int width, int height, Config config) {
        this.pixels = pixels;
        this.width = width;
        this.height = height;
        this.config = config;
    }

    public static Bitmap createBitmap(int[] pixels, int width, int height, Config config) {
        return new Bitmap(pixels.clone(), width, height, config);
    }

    public Bitmap copy(Config config, boolean isMutable) {
        return new Bitmap(pixels.clone(), width, height, config);
    }

    public Config getConfig() {
        return config;
    }

    public int getWidth() {
        return width;
    }

    public int getHeight() {
        return height;
    }

    public void getPixels(int[] to, int offset, int stride, int x, int y, int width, int height) {
        if (config == Config.HARDWARE) {
            throw new IllegalStateException("unable to getPixels(), pixel access is not supported");
        }
        for (int row = 0; row < height; row++) {
            System.arraycopy(pixels, (y + row) * this.width + x, to, offset + row * stride, width);
        }
    }
}
