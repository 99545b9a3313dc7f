package vn.ocop.field;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The border: client-lib/jni/native.c. All that crosses it is numbers and byte arrays: text as UTF-8,
 * records and the structs of ocop.h as protobuf messages.
 */
final class Native {
    static {
        System.loadLibrary("ocop_jni");
    }

    private Native() {}

    static native long open(byte[] path, boolean mustExist, byte[] key) throws OcopException;

    static native void close(long store);

    static native void rekey(long store, byte[] key) throws OcopException;

    static native void rekeyDevice(long store) throws OcopException;

    static native void enrol(long store, byte[] code, byte[] name) throws OcopException;

    static native byte[] create(long store, byte[] kind) throws OcopException;

    static native byte[] newKey(long store);

    static native void save(long store, byte[] kind, byte[] record) throws OcopException;

    static native void submit(long store, byte[] kind, byte[] record) throws OcopException;

    static native void submitDraft(long store, byte[] id, byte[] reason) throws OcopException;

    static native void amend(long store, byte[] kind, byte[] record, byte[] reason)
            throws OcopException;

    static native void add(
            long store, byte[] kind, byte[] id, byte[] list, byte[] element, byte[] reason)
            throws OcopException;

    static native void voidRecord(long store, byte[] id, byte[] reason) throws OcopException;

    static native void discard(long store, byte[] id) throws OcopException;

    static native byte[] load(long store, byte[] kind, byte[] id) throws OcopException;

    static native byte[] attach(long store, byte[] record, byte[] attachment) throws OcopException;

    static native byte[] attachStrokes(long store, byte[] record, byte[] strokes, byte[] attachment)
            throws OcopException;

    static native byte[] attachStream(long store, byte[] record, byte[] attachment, InputStream in)
            throws OcopException;

    static native byte[] files(long store, byte[] record) throws OcopException;

    static native byte[] readFile(long store, byte[] attachment, long at, int len)
            throws OcopException;

    static native void fetch(long store, byte[] attachment) throws OcopException;

    static native int fetchThumbnails(long store, byte[] of) throws OcopException;

    static native byte[] readThumbnail(long store, byte[] attachment) throws OcopException;

    static native int keepFiles(long store, long bytes) throws OcopException;

    static native byte[] fileLimits(long store) throws OcopException;

    static native void setFileLimits(long store, byte[] limits) throws OcopException;

    static native byte[] imageSettings(long store) throws OcopException;

    static native void setImageSettings(long store, byte[] settings) throws OcopException;

    static native int sweepFiles(long store) throws OcopException;

    static native byte[] toJson(byte[] kind, byte[] record, boolean pretty) throws OcopException;

    static native byte[] fromJson(long store, byte[] kind, byte[] base, byte[] json)
            throws OcopException;

    static native byte[] setText(long store, byte[] kind, byte[] record, byte[] assignment)
            throws OcopException;

    static native byte[] find(long store, byte[] query) throws OcopException;

    static native byte[] recordStatus(long store, byte[] id) throws OcopException;

    static native byte[] storeStatus(long store) throws OcopException;

    static native byte[] sync(long store, byte[] options, SyncListener listener)
            throws OcopException;

    static native void cancel(long store);

    static native void resend(long store, byte[] id) throws OcopException;

    static native int check(long store, CheckListener listener) throws OcopException;

    static native byte[] verifyEvidence(byte[] bundle, byte[] rootKey, boolean json)
            throws OcopException;

    static native byte[] verifyEvidenceFd(int fd, byte[] rootKey, byte[] folder, boolean json)
            throws OcopException;

    static native byte[] idText(byte[] id) throws OcopException;

    static native byte[] parseId(byte[] text) throws OcopException;

    static native boolean sameName(byte[] one, byte[] other) throws OcopException;

    static native byte[] version();

    static native byte[] statusName(int status);

    /* Called from C. */
    static boolean progress(SyncListener listener, byte[] summary, byte[] doing) {
        return listener.onProgress(message(SyncSummary.parser(), summary), text(doing));
    }

    /* Called from C. */
    static void finding(CheckListener listener, byte[] text) {
        listener.onFinding(text(text));
    }

    /* Called from C: the next bytes, null at the end. What the stream throws passes through C. */
    static byte[] read(InputStream in, int len) {
        try {
            byte[] b = new byte[len];
            int n = in.read(b);
            if (n == 0) {
                throw new IOException("the stream gives nothing, and does not end");
            }
            if (n > len) {
                throw new IOException("the stream says that it gave more than was asked for");
            }
            return n < 0 ? null : Arrays.copyOf(b, n);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static byte[] utf8(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] utf8) {
        return new String(utf8, StandardCharsets.UTF_8);
    }

    static <T extends MessageLite> T message(Parser<T> parser, byte[] packed) {
        try {
            return parser.parseFrom(packed);
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalStateException("jar and native library are of two versions", e);
        }
    }
}
