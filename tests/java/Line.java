package vn.ocop.field;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.CountDownLatch;

/** A line to a server that can be made to swallow what the device sends. */
final class Line implements AutoCloseable {
    final int port;
    private final ServerSocket listening;
    private volatile CountDownLatch swallowed;

    Line(int to) throws IOException {
        listening = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        port = listening.getLocalPort();
        start(() -> {
            while (true) {
                Socket device = listening.accept();
                Socket server = new Socket(InetAddress.getLoopbackAddress(), to);
                start(() -> pump(device, server, true));
                start(() -> pump(server, device, false));
            }
        });
    }

    /** From now on nothing arrives; the latch tells when there was something. */
    CountDownLatch cut() {
        swallowed = new CountDownLatch(1);
        return swallowed;
    }

    void mend() {
        swallowed = null;
    }

    @Override
    public void close() throws IOException {
        listening.close();
    }

    private void pump(Socket from, Socket to, boolean up) throws IOException {
        byte[] room = new byte[4096];
        try (InputStream in = from.getInputStream();
                OutputStream out = to.getOutputStream()) {
            for (int n = in.read(room); n > 0; n = in.read(room)) {
                CountDownLatch cut = swallowed;
                if (cut == null) {
                    out.write(room, 0, n);
                } else if (up) {
                    cut.countDown();
                }
            }
        }
    }

    interface Work {
        void run() throws IOException;
    }

    /** In a thread of its own, until what it reads is closed. */
    static void start(Work work) {
        Thread t = new Thread(() -> {
            try {
                work.run();
            } catch (IOException e) {
                return;
            }
        });
        t.setDaemon(true);
        t.start();
    }
}
