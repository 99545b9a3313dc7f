package vn.ocop.field;

import static org.junit.Assert.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.List;
import org.junit.Test;
import sample.Sample;

/** The sample program does what it says. */
public class SampleTest {
    private static final int LINES_MAX = 100;

    @Test
    public void the_sample_enrols_records_and_syncs() throws Exception {
        String path = Field.path();
        String code = Field.centre().invite("Cán bộ của " + path);
        String first = run(path, code, "ca phe duc lap");
        assertTrue(first, first.contains("\n1 changes sent, "));
        assertTrue(first, first.trim().endsWith(": ACCEPTED"));
        String second = run(path, code, "ca phe duc lap");
        assertTrue(second, second.contains("\n1 changes sent, "));
    }

    @Test
    public void the_sample_is_read_at_one_sitting() throws Exception {
        List<String> lines = Files.readAllLines(Paths.get("client-lib/java/sample/Sample.java"));
        assertTrue(lines.size() + " lines", lines.size() < LINES_MAX);
    }

    private static String run(String... args) throws Exception {
        PrintStream before = System.out;
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        System.setOut(new PrintStream(said, true, "UTF-8"));
        try {
            Sample.main(args);
        } finally {
            System.setOut(before);
        }
        return new String(said.toByteArray(), StandardCharsets.UTF_8);
    }
}
