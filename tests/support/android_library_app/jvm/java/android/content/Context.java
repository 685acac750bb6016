package android.content;

import android.content.pm.ApplicationInfo;
import android.content.res.AssetManager;
import java.io.File;

/** Replaces Android's class on a computer: an app with the assets of an APK. */
public class Context {
    private final AssetManager assets;
    private final File files;

    public Context(AssetManager assets, File files) {
        this.assets = assets;
        this.files = files;
    }

    public AssetManager getAssets() {
        return assets;
    }

    public ApplicationInfo getApplicationInfo() {
        return new ApplicationInfo(files.getPath());
    }

    public File getNoBackupFilesDir() {
        return files;
    }
}
