package vn.ocop.field;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A real ocopd with a registry of its own in a new directory, on a free port of the loopback. */
final class Centre implements AutoCloseable {
    private static final String OCOPD = System.getenv("OCOPD_BIN");
    private static final String DATA = "tests/data/demo/";

    final Path dir;
    final int port;
    private final Process server;

    Centre() throws IOException, InterruptedException {
        dir = Files.createTempDirectory("ocop-java");
        office("init", "--name", "Sổ đăng ký OCOP");
        office("import", "units", DATA + "units-before.csv", "--from", "2004-01-01");
        office("import", "units", DATA + "units-2025.csv", "--from", "2025-07-01",
                "--mapping", DATA + "mapping-2025.csv");
        office("import", "producers", DATA + "producers.csv");
        office("import", "products", DATA + "products.csv");
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        server = new ProcessBuilder(OCOPD, "run", "--db", registry(), "--listen", "tcp://127.0.0.1:" + port)
                .redirectOutput(new File(file("said"))).start();
        Runtime.getRuntime().addShutdownHook(new Thread(server::destroyForcibly));
        BufferedReader log = reader(server);
        for (String line = log.readLine(); !line.contains("event=listening"); ) {
            line = log.readLine();
            if (line == null) {
                throw new IOException("ocopd does not start");
            }
        }
        Line.start(() -> {
            while (log.readLine() != null) {} // or a full pipe would stop it
        });
    }

    /** The code for a new officer who may do all that is done in the field; they come by `through`. */
    String invite(String officer, int through) throws IOException, InterruptedException {
        return office("invite", "--new-officer", officer, "--agency", "Chi cục",
                "--role", "inspector,sampler,environment_officer,reconciler",
                "--unit", "24664,24670,24678,24682", "--address", "tcp://127.0.0.1:" + through,
                "--no-qr").get(0);
    }

    String invite(String officer) throws IOException, InterruptedException {
        return invite(officer, port);
    }

    /** A file in the directory. */
    String file(String name) {
        return dir.resolve(name).toString();
    }

    /** Run a command of ocopd. Returns its lines. */
    List<String> office(String... command) throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(Arrays.asList(command));
        all.add(0, OCOPD);
        all.addAll(Arrays.asList("--db", registry()));
        Process p = new ProcessBuilder(all).redirectErrorStream(true).start();
        List<String> lines = new ArrayList<>();
        BufferedReader out =
                new BufferedReader(new InputStreamReader(p.getInputStream(), StandardCharsets.UTF_8));
        out.lines().forEach(lines::add);
        if (p.waitFor() != 0) {
            throw new IOException(all + ": " + lines);
        }
        return lines;
    }

    @Override
    public void close() throws InterruptedException {
        server.destroy();
        server.waitFor();
        remove(dir.toFile());
    }

    private static void remove(File f) {
        File[] within = f.listFiles(); // null: it is no directory
        for (int i = 0; within != null && i < within.length; i++) {
            remove(within[i]);
        }
        f.delete();
    }

    private String registry() {
        return file("registry.db");
    }

    private static BufferedReader reader(Process p) {
        return new BufferedReader(new InputStreamReader(p.getErrorStream(), StandardCharsets.UTF_8));
    }
}
