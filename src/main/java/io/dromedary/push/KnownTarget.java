package io.dromedary.push;

import io.dromedary.change.ByteString;
import io.dromedary.mirror.Remote;
import io.dromedary.mirror.Sample;
import io.dromedary.mirror.Target;
import io.dromedary.posix.Place;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one remote's target was like, over restarts: by which it is known again without a mark in it, for a target equals its
 * source. Any target is known by a few names that it has told to be there; one on this machine by its directory too, and by
 * where its file system is mounted.
 *
 * <p>Only what the target itself has told to be there counts as lost. So nothing is missed that is excluded or refused, or
 * was never sent.
 */
final class KnownTarget {
    private static final Logger LOG = LoggerFactory.getLogger("dromedary.push");

    private static final String TARGET = "target";
    private static final String PLACE = "place";
    private static final String MOUNT = "mount";
    private static final String NAME = "name";

    /** After this time without a push, in nanoseconds, the target may be another one. */
    private static final long IDLE = TimeUnit.SECONDS.toNanos(10);

    private final Remote remote;
    /** Null if it is not on this machine. */
    private final Path directory;

    private final Note note;
    private Place place;
    private Path mount;
    private List<String> names = List.of();

    /** Where a full sync under way began; null: there was no directory. */
    private Place synced;

    private boolean another;
    private long pushedAt = System.nanoTime() - IDLE;

    KnownTarget(Remote remote, Path file) {
        this.remote = remote;
        this.directory = remote.target().kind() == Target.Kind.LOCAL
                ? Path.of(remote.target().text())
                : null;
        note = new Note(file);
        // A route that names another one has been changed on purpose.
        if (text().equals(note.first(TARGET))) {
            String line = note.first(PLACE);
            place = line == null ? null : Place.parse(line);
            String mounted = note.first(MOUNT);
            mount = mounted == null ? null : Path.of(ByteString.text(mounted));
            names = note.all(NAME);
        }
    }

    private String text() {
        return ByteString.of(remote.target().text());
    }

    /**
     * Why nothing may be pushed to it now, in one line; null when nothing is in the way. On the way it is found out whether
     * this is another directory.
     *
     * @param everything whether a full sync is about to begin
     */
    synchronized String problem(boolean everything) {
        if (directory == null) {
            return null;
        }
        if (mount != null && !Place.isMountPoint(mount)) {
            return "target " + directory + ": " + mount + " was a mount point and is none now: its file system is not"
                    + " mounted; it goes on when that is back. If this is right: dromedary resume " + remote.id();
        }
        Place now = Place.of(directory);
        if (everything) {
            synced = now;
        }
        another |= place != null && !place.isSame(now);
        return null;
    }

    /** Once there is no problem: makes the directory if it is not there, though none of those above it. */
    void make() {
        if (directory != null && Files.notExists(directory, LinkOption.NOFOLLOW_LINKS)) {
            try {
                Files.createDirectory(directory);
            } catch (IOException e) {
                LOG.debug("{}: rsync will tell: {}", directory, e.toString());
            }
        }
    }

    /**
     * After a push that went well.
     *
     * @param everything whether it was a full sync
     * @param redelivery whether it had failed before
     * @return whether it is time to ask the target what is there
     */
    synchronized boolean pushed(boolean everything, boolean redelivery) {
        long now = System.nanoTime();
        boolean idle = now - pushedAt >= IDLE;
        pushedAt = now;
        boolean learnt = everything || directory != null && place == null;
        if (directory != null && learnt) {
            Place after = Place.of(directory);
            boolean sameAsBefore = !everything || synced == null || synced.isSame(after);
            if (sameAsBefore) {
                place = after;
                mount = Place.mountOf(directory);
            }
            another = !sameAsBefore;
        } else if (everything) {
            another = false;
        }
        if (everything) {
            // What it has lost it has got again; what it has by now is asked.
            names = List.of();
        }
        if (learnt && !another) {
            write();
        }
        return everything || redelivery || idle || another;
    }

    /** Whether it has been found to be another one; then a full sync is asked for, once. */
    synchronized boolean takeAnother() {
        boolean taken = another;
        if (taken) {
            asked();
        }
        return taken;
    }

    /** A full sync is on its way. What is on disk stays as it is until that is through. */
    private void asked() {
        another = false;
        place = directory == null ? null : Place.of(directory);
        names = List.of();
    }

    /** What to ask for: what was there, as far as it is at the source, and what is at the source else. */
    synchronized Set<String> questions() {
        Set<String> questions = new LinkedHashSet<>(Sample.of(remote.mirror()).names());
        Sample.present(remote.mirror(), names).stream()
                .filter(name -> !remote.excludes().covers(name, false))
                .forEach(questions::add);
        return questions;
    }

    /**
     * Whether most of what was there is missing, in words; null if not.
     *
     * @param questions what was asked for
     * @param missing of these, what is not there
     */
    synchronized String loss(Set<String> questions, Set<String> missing) {
        List<String> known = names.stream().filter(questions::contains).toList();
        long lost = known.stream().filter(missing::contains).count();
        return lost * 2 > known.size() ? lost + " of " + known.size() + " names known there are gone" : null;
    }

    /** After {@link #loss}. */
    synchronized void lost() {
        asked();
    }

    /** It has told what is there. */
    synchronized void learn(Set<String> questions, Set<String> missing) {
        names = questions.stream()
                .filter(name -> !missing.contains(name))
                .limit(Sample.MOST)
                .toList();
        if (!another) {
            write();
        }
    }

    /** A person says that it is right as it is: what is there by now gets a full sync. */
    synchronized void accept() {
        if (directory != null && mount != null && !Place.isMountPoint(mount)) {
            mount = null;
            another = true;
            write();
        }
    }

    synchronized void owe() {
        another = true;
    }

    private void write() {
        List<String> lines = new ArrayList<>(List.of(Note.line(TARGET, text())));
        if (place != null) {
            lines.add(Note.line(PLACE, place.line()));
        }
        if (mount != null) {
            lines.add(Note.line(MOUNT, ByteString.of(mount.toString())));
        }
        names.forEach(name -> lines.add(Note.line(NAME, name)));
        note.write(
                "what the target of " + remote.id() + " is known by; delete this file and it is taken as it is", lines);
    }
}
