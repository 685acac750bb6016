package android.content.res;

import java.io.Closeable;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;

/** Replaces Android's class on a computer: a part of a file. */
public class AssetFileDescriptor implements Closeable {
    private final File file;
    private final long offset;
    private final long length;

    AssetFileDescriptor(File file, long offset, long length) {
        this.file = file;
        this.offset = offset;
        this.length = length;
    }

    public FileInputStream createInputStream() throws IOException {
        return new FileInputStream(file);
    }

    public long getStartOffset() {
        return offset;
    }

    public long getLength() {
        return length;
    }

    @Override
    public void close() {}
}
