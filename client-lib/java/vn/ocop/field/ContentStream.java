package vn.ocop.field;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.io.InputStream;

/* One content, four blocks of the store's folder at a time: however large it is, no more is in memory. */
final class ContentStream extends InputStream {
    private static final int PART = 4 * 15 * 1024;

    private final FieldStore store;
    private final ByteString attachment;
    private byte[] part = new byte[0];
    private long partAt;
    private long at;
    private boolean ended;

    ContentStream(FieldStore store, ByteString attachment) throws OcopException {
        this.store = store;
        this.attachment = attachment;
        part = store.readFile(attachment, 0, PART); // whether it is here shows at once
        ended = part.length < PART;
    }

    /* Bytes of the part at hand from where this stands; 0: at the end. */
    private int ready() throws IOException {
        if (at < partAt || (at >= partAt + part.length && !ended)) {
            try {
                partAt = at - at % PART;
                part = store.readFile(attachment, partAt, PART);
                ended = part.length < PART;
            } catch (OcopException e) {
                throw new IOException(e.getMessage(), e);
            }
        }
        return (int) Math.max(0, partAt + part.length - at);
    }

    @Override
    public int read() throws IOException {
        return ready() == 0 ? -1 : part[(int) (at++ - partAt)] & 0xff;
    }

    @Override
    public int read(byte[] into, int from, int len) throws IOException {
        if (from < 0 || len < 0 || len > into.length - from) {
            throw new IndexOutOfBoundsException();
        }
        if (len == 0) {
            return 0;
        }
        int n = Math.min(len, ready());
        if (n == 0) {
            return -1;
        }
        System.arraycopy(part, (int) (at - partAt), into, from, n);
        at += n;
        return n;
    }

    /* Over parts that are not read; not beyond the end, which only the last part tells. */
    @Override
    public long skip(long n) throws IOException {
        long from = at;
        while (n > at - from && ready() > 0) {
            at += Math.min(ready(), n - (at - from));
        }
        return at - from;
    }

    @Override
    public int available() {
        return (int) Math.max(0, partAt + part.length - at);
    }
}
