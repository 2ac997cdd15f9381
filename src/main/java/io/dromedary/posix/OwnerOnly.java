package io.dromedary.posix;

import java.nio.file.FileSystems;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;

/** How what only its owner may read is made; nothing where the file system knows no such permissions, on Windows. */
public final class OwnerOnly {
    public static final boolean IS_KNOWN =
            FileSystems.getDefault().supportedFileAttributeViews().contains("posix");
    private static final FileAttribute<?>[] FILE = attributes("rw-------");
    private static final FileAttribute<?>[] DIRECTORY = attributes("rwx------");

    private OwnerOnly() {}

    private static FileAttribute<?>[] attributes(String mode) {
        return IS_KNOWN
                ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode))}
                : new FileAttribute<?>[0];
    }

    public static FileAttribute<?>[] file() {
        return FILE.clone();
    }

    public static FileAttribute<?>[] directory() {
        return DIRECTORY.clone();
    }
}
