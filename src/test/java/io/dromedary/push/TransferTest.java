package io.dromedary.push;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class TransferTest {
    /** As rsync 3.2.7 and 3.5.0 write it. */
    private static final String TOLD = "\r          32768   0%    0.00kB/s    0:00:00  "
            + "\r       45940736  12%   39.87MB/s    0:00:08  "
            + "\r      322372800  86%   39.94MB/s    0:00:07 (xfr#391, to-chk=2610/3002)"
            + "\r      343772800  91%    1.50GB/s    0:00:00  ";

    @Test
    void lastLineCounts() {
        Transfer transfer = Transfer.start().after(TOLD);
        assertThat(transfer.bytes()).isEqualTo(343772800);
        assertThat(transfer.share()).isEqualTo(91);
        assertThat(transfer.bytesPerSecond()).isEqualTo(3L << 29);
        assertThat(transfer.files()).as("told earlier").isEqualTo(391);
        assertThat(transfer.checked()).isEqualTo(392);
        assertThat(transfer.found()).isEqualTo(3002);
        assertThat(transfer.complete()).isTrue();
        assertThat(transfer.percent()).isEqualTo(91);
        assertThat(transfer.secondsLeft()).isNotNegative();
    }

    @Test
    void treeThatIsThereAlreadyIsDoneByWhatIsChecked() {
        Transfer transfer = Transfer.start().after("\r  2000   0%   14.77kB/s    0:00:00 (xfr#3, to-chk=500/1000)");
        assertThat(transfer.share()).isZero();
        assertThat(transfer.percent()).isEqualTo(50);
    }

    @Test
    void nobodyCanTellTheEndWhileFilesAreStillListed() {
        Transfer transfer = Transfer.start().after("\r  2000  50%   14.77kB/s    0:00:00 (xfr#3, ir-chk=500/1000)");
        assertThat(transfer.complete()).isFalse();
        assertThat(transfer.percent()).isEqualTo(50);
        assertThat(transfer.secondsLeft()).isNegative();
    }

    @Test
    void linesThatComeInPiecesAreReadAsWhole() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        Transfer whole = Transfer.start().after(TOLD);
        Transfer transfer = Transfer.start();
        String before = "";
        for (int from = 0; from < TOLD.length(); ) {
            int to = Math.min(TOLD.length(), from + 1 + random.nextInt(40));
            String text = before + TOLD.substring(from, to);
            transfer = transfer.after(text);
            before = text.substring(Math.max(0, text.length() - Transfer.LONGEST));
            from = to;
        }
        assertThat(transfer)
                .as("seed " + seed)
                .usingRecursiveComparison()
                .ignoringFields("started")
                .isEqualTo(whole);
    }

    @Test
    void whatElseRsyncSaysIsNoProgress() {
        Transfer start = Transfer.start();
        assertThat(start.after("Number of files: 3 (reg: 2)\n\rTotal bytes sent: 100\n12 50% off\n"))
                .isEqualTo(start);
    }
}
