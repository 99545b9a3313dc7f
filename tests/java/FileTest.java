package vn.ocop.field;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;
import static vn.ocop.field.Field.fails;

import com.google.protobuf.ByteString;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.Test;
import vn.ocop.field.records.Inspection;

/** Contents attached to records: in, to the registry and out again. */
public class FileTest {
    private static final byte[] PDF = "%PDF-1.4\nbi\u00EAn b\u1EA3n\n%%EOF\n".getBytes(StandardCharsets.UTF_8);

    @Test
    public void what_is_attached_travels_and_is_read_back() throws Exception {
        try (FieldStore store = Field.officer()) {
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            ByteString of_bytes = store.attach(made.getId(), Attachment.newBuilder()
                    .setBytes(ByteString.copyFrom(PDF)).setName("bi\u00EAn b\u1EA3n.pdf").setRole("document")
                    .setCaption("Trang 1").setLatE6(12_450_000).setLonE6(107_620_000).build());
            Path file = Paths.get(Field.path() + ".pdf");
            Files.write(file, (new String(PDF, StandardCharsets.UTF_8) + "2").getBytes(StandardCharsets.UTF_8));
            store.attach(made.getId(), Attachment.newBuilder()
                    .setPath(file.toString()).setRole("document").build());
            FileList there = store.files(made.getId());
            assertEquals(2, there.getFilesCount());
            assertEquals(FileState.FILE_WAITING, there.getFiles(0).getState());
            SyncSummary done = store.sync(SyncOptions.newBuilder().setFilesOf(of_bytes).build(), null);
            assertEquals(1, done.getFilesSent());
            assertEquals(1, store.sync().getFilesSent());
            for (FileItem f : store.files(null).getFilesList()) {
                assertEquals(f.getText(), FileState.FILE_STORED, f.getState());
                assertEquals(made.getId(), f.getRecord());
                assertTrue(f.getHere() && f.getHash().size() == 32);
            }
            assertArrayEquals(PDF, store.readFile(of_bytes, 0, 1000));
            assertArrayEquals(Arrays.copyOfRange(PDF, 5, 9), store.readFile(of_bytes, 5, 4));
            assertEquals(2, store.keepFiles(0));
            fails(Status.ENOTFOUND, () -> store.readFile(of_bytes, 0, 1000));
            store.fetch(of_bytes);
            assertEquals(1, store.sync().getFilesReceived());
            assertArrayEquals(PDF, store.readFile(of_bytes, 0, 1000));
        }
    }

    @Test
    public void what_cannot_be_attached_is_named() throws Exception {
        try (FieldStore store = Field.officer()) {
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            Attachment none = Attachment.newBuilder().setRole("document").build();
            fails(Status.EINVAL, () -> store.attach(made.getId(), none)); // no descriptor either
            fails(Status.EINVAL, () -> store.attach(made.getId(), none.toBuilder()
                    .setBytes(ByteString.copyFrom(PDF)).setName("x.pdf").setMediaType("image/png").build()));
            fails(Status.ENOTFOUND, () -> store.attach(made.getId(),
                    none.toBuilder().setPath(Field.path()).build()));
            fails(Status.ENOTFOUND, () -> store.fetch(made.getId()));
            fails(Status.EINVAL, () -> store.readFile(made.getId(), -1, 1));
        }
    }

    @Test
    public void photos_are_scaled_as_the_store_says() throws Exception {
        try (FieldStore store = Field.officer()) {
            assertEquals(0, store.imageSettings().getSideMax());
            ImageSettings how = store.imageSettings().toBuilder()
                    .setSideMax(640).setQuality(70).setStrip(true).setKeepOriginal(false).build();
            store.setImageSettings(how);
            assertEquals(how, store.imageSettings());
            fails(Status.ELIMIT, () -> store.setImageSettings(how.toBuilder().setQuality(7).build()));
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            ByteArrayOutputStream jpeg = new ByteArrayOutputStream();
            assertTrue(ImageIO.write(new BufferedImage(1300, 1000, BufferedImage.TYPE_INT_RGB), "jpeg", jpeg));
            ByteString id = store.attach(made.getId(), Attachment.newBuilder().setRole("photo")
                    .setBytes(ByteString.copyFrom(jpeg.toByteArray())).setName("IMG_1.jpg").build());
            byte[] kept = store.readFile(id, 0, 1 << 20);
            BufferedImage image = ImageIO.read(new ByteArrayInputStream(kept));
            assertEquals(640, image.getWidth());
            assertEquals(492, image.getHeight());
        }
    }

    @Test
    public void thumbnails_are_fetched_before_their_photos() throws Exception {
        try (FieldStore store = Field.officer()) {
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            ByteArrayOutputStream jpeg = new ByteArrayOutputStream();
            assertTrue(ImageIO.write(new BufferedImage(900, 1200, BufferedImage.TYPE_INT_RGB), "jpeg", jpeg));
            ByteString id = store.attach(made.getId(), Attachment.newBuilder().setRole("photo")
                    .setBytes(ByteString.copyFrom(jpeg.toByteArray())).setName("IMG_2.jpg").build());
            assertEquals(1, store.sync().getFilesSent());
            assertEquals(0, store.sync().getThumbnailsReceived());
            assertEquals(1, store.fetchThumbnails(made.getId()));
            fails(Status.ENOTFOUND, () -> store.readThumbnail(id));
            while (store.sync().getThumbnailsReceived() == 0) // it is made meanwhile
                assertEquals(1, store.fetchThumbnails(null));
            BufferedImage image = ImageIO.read(new ByteArrayInputStream(store.readThumbnail(id)));
            assertEquals(192, image.getWidth());
            assertEquals(256, image.getHeight());
            assertEquals(0, store.fetchThumbnails(id));
        }
    }

    @Test
    public void a_signature_is_attached_as_it_was_written() throws Exception {
        try (FieldStore store = Field.officer()) {
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            Stroke down = Stroke.newBuilder().addX(10).addX(20).addX(15).addY(30).addY(30).addY(90)
                    .addTMs(0).addTMs(16).addTMs(40).build();
            Stroke dot = Stroke.newBuilder().addX(50).addY(60).addTMs(500).build();
            ByteString id = store.attachStrokes(made.getId(),
                    Strokes.newBuilder().addStrokes(down).addStrokes(dot).build(),
                    Attachment.newBuilder().setCaption("Ng\u01B0\u1EDDi ch\u1EE9ng ki\u1EBFn").build());
            String svg = new String(store.readFile(id, 0, 10000), StandardCharsets.UTF_8);
            assertTrue(svg, svg.contains("<path d=\"M10 30l10 0 -5 60\" data-ms=\"0 16 24\"/>"));
            assertTrue(svg, svg.contains("<path d=\"M50 60h0\" data-ms=\"500\"/>"));
            FileItem item = store.files(made.getId()).getFiles(0);
            assertEquals("signature", item.getRole());
            assertEquals("image/svg+xml", item.getMediaType());
            Attachment nothing = Attachment.getDefaultInstance();
            fails(Status.EINVAL, () -> store.attachStrokes(made.getId(), Strokes.getDefaultInstance(), nothing));
            fails(Status.EINVAL, () -> store.attachStrokes(made.getId(), Strokes.newBuilder()
                    .addStrokes(Stroke.newBuilder().addX(1).addY(1)).build(), nothing)); // no time
            fails(Status.EINVAL, () -> store.attachStrokes(made.getId(), Strokes.newBuilder()
                    .addStrokes(dot.toBuilder().setX(0, -1)).build(), nothing));
        }
    }

    @Test
    public void limits_are_kept_and_refused_by_name() throws Exception {
        try (FieldStore store = Field.officer()) {
            FileLimits limits = store.fileLimits().toBuilder().setFileBytes(PDF.length - 1).build();
            store.setFileLimits(limits);
            assertEquals(limits, store.fileLimits());
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            fails(Status.ELIMIT, () -> store.attach(made.getId(), Attachment.newBuilder()
                    .setBytes(ByteString.copyFrom(PDF)).setName("x.pdf").setRole("document").build()));
            fails(Status.ELIMIT, () -> store.setFileLimits(
                    limits.toBuilder().setFileBytes(1L << 40).build()));
            assertEquals(0, store.sweepFiles());
        }
    }

    /* Larger than what is read at once, and no zlib's friend. */
    private static byte[] large(int len) {
        byte[] b = new byte[len];
        new Random(7).nextBytes(b);
        System.arraycopy(PDF, 0, b, 0, 5);
        return b;
    }

    private static final Attachment DOCUMENT =
            Attachment.newBuilder().setName("x.pdf").setRole("document").build();

    /* A descriptor's number, as ParcelFileDescriptor.getFd() tells it on Android. */
    private static int numberOf(Path file) throws Exception {
        for (String fd : new File("/proc/self/fd").list()) {
            try {
                if (Files.readSymbolicLink(Paths.get("/proc/self/fd", fd)).equals(file.toRealPath())) {
                    return Integer.parseInt(fd);
                }
            } catch (NoSuchFileException e) {
                continue; // it was that of the list itself
            }
        }
        throw new AssertionError("no descriptor of " + file);
    }

    private static byte[] all(InputStream in) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] part = new byte[7777];
        for (int n; (n = in.read(part)) >= 0; ) {
            out.write(part, 0, n);
        }
        return out.toByteArray();
    }

    @Test
    public void a_stream_is_attached_and_a_content_is_read_as_one() throws Exception {
        try (FieldStore store = Field.officer()) {
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            byte[] whole = large(300_000);
            InputStream slow = new ByteArrayInputStream(whole) {
                @Override
                public synchronized int read(byte[] b, int off, int len) {
                    return super.read(b, off, Math.min(len, 999));
                }
            };
            ByteString id = store.attach(made.getId(), DOCUMENT, slow);
            assertEquals(-1, slow.read());
            try (InputStream in = store.openFile(id)) {
                assertArrayEquals(whole, all(in));
                assertEquals(-1, in.read());
            }
            try (InputStream in = store.openFile(id)) {
                assertEquals(whole[0] & 0xff, in.read());
                assertEquals(200_000, in.skip(200_000));
                assertEquals(whole[200_001] & 0xff, in.read());
                assertTrue(in.available() > 0);
                assertArrayEquals(Arrays.copyOfRange(whole, 200_002, whole.length), all(in));
                assertEquals(0, in.skip(1));
                assertEquals(0, in.available());
            }
            try (InputStream in = store.openFile(id)) { // of exactly two parts, and behind the end
                assertEquals(whole.length, in.skip(1 << 30));
                assertEquals(-1, in.read(new byte[10]));
                assertEquals(0, in.read(new byte[0]));
            }
            fails(Status.ENOTFOUND, () -> store.openFile(made.getId()));
        }
    }

    @Test
    public void contents_of_whole_parts_end_where_they_end() throws Exception {
        try (FieldStore store = Field.officer()) {
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            byte[] whole = large(2 * 4 * 15 * 1024);
            ByteString id = store.attach(made.getId(), DOCUMENT, new ByteArrayInputStream(whole));
            try (InputStream in = store.openFile(id)) {
                assertArrayEquals(whole, all(in));
            }
        }
    }

    @Test
    public void what_a_stream_throws_comes_out_and_nothing_is_attached() throws Exception {
        try (FieldStore store = Field.officer()) {
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            for (Exception thrown : new Exception[] {
                    new IOException("cut"), new IllegalStateException("closed")}) {
                InputStream broken = new ByteArrayInputStream(large(100_000)) {
                    @Override
                    public synchronized int read(byte[] b, int off, int len) {
                        if (available() < 50_000) {
                            FileTest.<RuntimeException>raise(thrown);
                        }
                        return super.read(b, off, Math.min(len, 9999));
                    }
                };
                try {
                    store.attach(made.getId(), DOCUMENT, broken);
                    throw new AssertionError("attached");
                } catch (IOException | IllegalStateException e) {
                    assertSame(thrown, e);
                }
            }
            assertEquals(0, store.files(made.getId()).getFilesCount());
            fails(Status.EINVAL, () -> store.attach(made.getId(), DOCUMENT,
                    new ByteArrayInputStream(new byte[0])));
        }
    }

    @SuppressWarnings("unchecked")
    private static <E extends Exception> void raise(Exception e) throws E {
        throw (E) e;
    }

    @Test
    public void a_descriptor_is_read_from_where_it_stands_or_in_its_part() throws Exception {
        try (FieldStore store = Field.officer()) {
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            byte[] whole = large(100_000);
            Path file = Paths.get(Field.path() + ".bin");
            ByteArrayOutputStream before = new ByteArrayOutputStream();
            before.write(new byte[1000]);
            before.write(whole);
            Files.write(file, before.toByteArray());
            try (FileInputStream in = new FileInputStream(file.toFile())) {
                Attachment of = DOCUMENT.toBuilder().setFd(numberOf(file)).build();
                assertEquals(1000, in.read(new byte[1000]));
                ByteString rest = store.attach(made.getId(), of);
                assertArrayEquals(whole, all(store.openFile(rest)));
                assertEquals(whole[0] & 0xff, in.read()); // it stands where it stood
                ByteString part = store.attach(made.getId(),
                        of.toBuilder().setPartAt(1000).setPartLen(5000).build());
                assertArrayEquals(Arrays.copyOf(whole, 5000), all(store.openFile(part)));
                fails(Status.EINVAL, () -> store.attach(made.getId(),
                        of.toBuilder().setPartAt(1000).setPartLen(whole.length + 1).build()));
                all(in);
                fails(Status.EINVAL, () -> store.attach(made.getId(), of)); // nothing is left
            }
        }
    }

    @Test
    public void a_bundle_is_checked_from_its_descriptor_and_its_photo_written() throws Exception {
        try (FieldStore store = Field.officer()) {
            Inspection made = Field.inspection(store).build();
            store.submit(made);
            byte[] whole = large(100_000);
            store.attach(made.getId(), DOCUMENT, new ByteArrayInputStream(whole));
            assertEquals(1, store.storeStatus().getFilesWaiting());
            assertEquals(whole.length, store.storeStatus().getFilesWaitingBytes());
            assertEquals(1, store.sync().getFilesSent());
            assertEquals(0, store.storeStatus().getFilesWaiting());
            Path bundle = Paths.get(Field.path() + ".evidence");
            Path folder = Paths.get(Field.path() + ".proof");
            Field.centre().office("export", "evidence", FieldStore.idText(made.getId()),
                    "--out", bundle.toString());
            try (FileInputStream in = new FileInputStream(bundle.toFile())) {
                Evidence e = FieldStore.verifyEvidence(numberOf(bundle), null, folder.toString(), false);
                assertTrue(e.getStory(), e.getHolds());
                assertEquals(1, e.getFiles());
                assertEquals(1, e.getFilesWhole());
                assertEquals(0, e.getFilesDamaged() + e.getFilesCut());
                assertEquals(-1, in.read()); // read to its end
            }
            assertEquals(e_of(bundle, 0).getRootKey(), e_of(bundle, 1).getRootKey());
            assertTrue(e_of(bundle, 0).getHolds());
            assertEquals(1, e_of(bundle, 1).getFilesDamaged());
            try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
                for (Path f : files) {
                    assertArrayEquals(whole, Files.readAllBytes(f));
                }
            }
        }
    }

    /* From memory; its last byte with this much added. */
    private static Evidence e_of(Path bundle, int more) throws Exception {
        byte[] b = Files.readAllBytes(bundle);
        b[b.length - 1] += (byte) more;
        return FieldStore.verifyEvidence(b, null, false);
    }
}
