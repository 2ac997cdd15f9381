package io.dromedary.testbed;

/** Signals to processes that the test itself has started. */
public final class Signals {

    private Signals() {}

    /** SIGSTOP: it hangs from now on. */
    public static void stop(long pid) {
        Libc.kill((int) pid, Libc.SIGSTOP);
    }

    /** SIGCONT: the end of {@link #stop}. */
    public static void resume(long pid) {
        Libc.kill((int) pid, Libc.SIGCONT);
    }

    /** SIGKILL. */
    public static void kill(long pid) {
        Libc.kill((int) pid, Libc.SIGKILL);
    }

    /** A zombie does not run: in a container nobody may reap it. */
    public static boolean isRunning(ProcessHandle process) {
        return !Daemon.ended(process);
    }
}
