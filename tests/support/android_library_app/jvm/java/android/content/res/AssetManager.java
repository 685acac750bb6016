package android.content.res;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** Replaces Android's class on a computer: reads the assets of an APK. */
public class AssetManager {
    private static final String ASSETS = "assets/";

    private final File apk;
    private final ZipFile zip;
    private final Map<String, Long> offsets = new HashMap<>();

    /** @param index a line for each entry of the APK: where its content begins, and its name. */
    public AssetManager(File apk, File index) throws IOException {
        this.apk = apk;
        zip = new ZipFile(apk);
        for (String line : Files.readAllLines(index.toPath())) {
            String[] parts = line.split(" ", 2);
            offsets.put(parts[1], Long.valueOf(parts[0]));
        }
    }

    public String[] list(String folder) {
        String prefix = ASSETS + folder + "/";
        return zip.stream()
                .map(ZipEntry::getName)
                .filter(name -> name.startsWith(prefix))
                .map(name -> name.substring(prefix.length()))
                .toArray(String[]::new);
    }

    public InputStream open(String name) throws IOException {
        return zip.getInputStream(entry(name));
    }

    public AssetFileDescriptor openFd(String name) throws IOException {
        ZipEntry entry = entry(name);
        if (entry.getMethod() != ZipEntry.STORED) {
            throw new FileNotFoundException(
                    "This file can not be opened as a file descriptor; it is probably compressed");
        }
        return new AssetFileDescriptor(apk, offsets.get(entry.getName()), entry.getSize());
    }

    private ZipEntry entry(String name) throws FileNotFoundException {
        ZipEntry entry = zip.getEntry(ASSETS + name);
        if (entry == null) throw new FileNotFoundException(name);
        return entry;
    }
}
