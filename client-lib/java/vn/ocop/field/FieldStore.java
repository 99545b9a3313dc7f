package vn.ocop.field;

import androidx.annotation.NonNull;
import androidx.annotation.Nullable;
import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * The store of one field device: record inspections, samples and environmental checks offline, and
 * sync when there is signal.
 *
 * <pre>{@code
 * try (FieldStore store = FieldStore.open(path)) {
 *     store.enrol(code, null);                                       // once, with signal
 *     Inspection i = store.create(Kind.INSPECTION).toBuilder()
 *             .setConclusion("pass").setScore(82).build();
 *     store.submit(i);                                               // safe from here on
 *     SyncSummary done = store.sync();                               // when there is signal
 * }
 * }</pre>
 *
 * <p>Every method may be called from any thread. All block for the disk; only {@link #enrol}
 * and {@link #sync()} block for the network, and recording goes on meanwhile. Keep them all off the
 * main thread. A store may be open several times, in several processes too: each sees at once what
 * the others did.
 *
 * <p>Ids are 16 bytes. Moments are milliseconds since 1970 UTC. Days are {@code "YYYY-MM-DD"}. Text
 * may hold every character but U+0000.
 *
 * <p>Every method may fail with {@link Status#EDB} and {@link Status#ENOMEM} (nothing changed, may be
 * tried again), {@link Status#EBUSY} (another process wrote for longer than 10 s; nothing changed),
 * {@link Status#EBROKEN} (close the store and open it again), and with {@link Status#ESTATE} once the
 * store is closed; this is not repeated below. Where the Java heap is full a method throws {@link
 * OutOfMemoryError}; what it was asked to store may then be stored.
 */
public final class FieldStore implements AutoCloseable {
    private final ReentrantReadWriteLock inUse = new ReentrantReadWriteLock();
    private volatile boolean closing;
    private long store; // for C; 0 once closed; read and written under inUse

    private FieldStore(long store) {
        this.store = store;
    }

    // --- open and close ---

    /**
     * Open a plain store, making or upgrading the file as needed.
     *
     * @param path of the file; its directory must exist
     * @return to be closed
     * @throws OcopException as {@link #open(String, boolean, byte[])}
     */
    @NonNull
    public static FieldStore open(@NonNull String path) throws OcopException {
        return open(path, false, null);
    }

    /**
     * Open a store.
     *
     * @param path of the file; its directory must exist
     * @param mustExist do not make a new store
     * @param key encrypts the file, or null: it is plain. 32 bytes are taken as they are: make them
     *     at random and keep them in the phone's key store. From 16 to 1024 bytes of any other length
     *     are a passphrase, and each opening then takes a tenth of a second and 64 MiB. It is not
     *     kept for the caller: overwrite it. Without the key nobody can read the store
     * @return to be closed
     * @throws OcopException {@link Status#ENOTFOUND} mustExist, and it does not; {@link
     *     Status#EVERSION} made by a newer program; {@link Status#EDAMAGED} not a store, or damaged;
     *     {@link Status#EAUTH} encrypted with another key than the one given, or none was given;
     *     {@link Status#ESTATE} a key was given and the file is plain: open it without, then {@link
     *     #rekey}; {@link Status#EINVAL} a key too short or too long, or this library was not built
     *     to encrypt. The file is unchanged
     */
    @NonNull
    public static FieldStore open(@NonNull String path, boolean mustExist, @Nullable byte[] key)
            throws OcopException {
        return new FieldStore(Native.open(text(path), mustExist, key));
    }

    /**
     * Encrypt the store with this key from now on. It is copied, read back and put in the place of
     * the old file in one step, for which the disk needs room for both. The old file is
     * overwritten behind it.
     *
     * @param key as for {@link #open(String, boolean, byte[])}
     * @throws OcopException {@link Status#EINVAL} the key, or this library was not built to encrypt;
     *     {@link Status#EBUSY} open elsewhere, or being synced; nothing changed. {@link Status#EIO},
     *     {@link Status#EBROKEN} it was changed, but the disk does not promise to remember it: keep
     *     both keys and try again
     */
    public void rekey(@NonNull byte[] key) throws OcopException {
        Objects.requireNonNull(key);
        act(s -> Native.rekey(s, key));
    }

    /**
     * Have this device change its keys: those that sign and the one that opens its channel. New ones
     * are made and stored; the next {@link #sync} has the registry take them in the place of the old
     * ones, which are worth nothing from then on.
     *
     * @throws OcopException {@link Status#ENOTENROLLED}, {@link Status#EREVOKED}, {@link Status#EDB}
     */
    public void rekeyDevice() throws OcopException {
        act(Native::rekeyDevice);
    }

    /**
     * Close the store. A sync in another thread is cancelled, and every call that still runs is
     * waited for. Nothing is lost. Closing again does nothing.
     *
     * @throws IllegalStateException called by a listener of this store, whose call would wait for
     *     itself
     */
    @Override
    public void close() {
        if (inUse.getReadHoldCount() > 0) {
            throw new IllegalStateException("a listener cannot close the store that calls it");
        }
        closing = true;
        lockAlone();
        try {
            Native.close(store);
            store = 0;
        } finally {
            inUse.writeLock().unlock();
        }
    }

    /* A sync that was about to begin when it was cancelled begins all the same: hence the loop. */
    private void lockAlone() {
        boolean interrupted = false;
        for (boolean alone = false; !alone; ) {
            cancel();
            try {
                alone = inUse.writeLock().tryLock(20, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    // --- enrol ---

    /**
     * Enrol this store with an invitation's code. Needs the network. Repeating the call with the same
     * code after any failure is safe. A store that is enrolled may be enrolled again by an invitation
     * of the same registry for the same officer: what it holds stays.
     *
     * @param code as the office gave it, in text or QR
     * @param name what the office shall call this device
     * @throws OcopException {@link Status#EINVAL} the code is damaged; {@link Status#EAUTH} unknown
     *     code or wrong server, or the registry knows this device; {@link Status#ESTATE} expired, used
     *     by another device, of another registry or for another officer; {@link Status#ENET}, {@link
     *     Status#ETIMEOUT}, {@link Status#ECANCELLED}. The store is as it was
     */
    public void enrol(@NonNull String code, @Nullable String name) throws OcopException {
        byte[] c = text(code);
        act(s -> Native.enrol(s, c, Native.utf8(name)));
    }

    // --- record ---

    /**
     * Make an empty record with its id, officer, time of recording, day and rule set filled in.
     * Nothing is stored yet.
     *
     * @param <T> class of the record
     * @param kind of the record
     * @return to be filled in through {@code toBuilder()}
     * @throws OcopException {@link Status#EPERM} the officer's roles do not allow it; {@link
     *     Status#ENOTENROLLED}
     */
    @NonNull
    public <T extends MessageLite> T create(@NonNull Kind<T> kind) throws OcopException {
        return kind.parse(ask(s -> Native.create(s, kind.utf8)));
    }

    /**
     * A new key for a list element whose key is an id: findings, participants, parts.
     *
     * @return 16 bytes
     * @throws OcopException the store is closed
     */
    @NonNull
    public ByteString newKey() throws OcopException {
        return ByteString.copyFrom(ask(Native::newKey));
    }

    /**
     * Save a draft: the whole record as it shall be; of a loaded one, what differs from what was
     * loaded. It stays on this device until submitted, and replaces an earlier draft. For a submitted
     * record this begins or changes the draft of an amendment.
     *
     * @param record of any kind; fields are checked but none is required yet
     * @throws OcopException {@link Status#EINVAL}, {@link Status#ELIMIT} a field breaks its rule;
     *     {@link Status#ELIMIT} without a field: this says more than the 32 KiB that one change may
     *     have, or the record would become larger than the registry keeps; {@link Status#EPERM} the
     *     officer's roles do not allow it, or its unit lies outside those of this device; {@link
     *     Status#ESTATE} the record is voided; {@link Status#ENOTFOUND} it has left this device since
     *     it was loaded
     */
    public void save(@NonNull MessageLite record) throws OcopException {
        act(s -> Native.save(s, Kind.nameOf(record), record.toByteArray()));
    }

    /**
     * Submit a new record: check all, give it its paper number, and put it in the outbox. Once this
     * has returned the record survives power loss and will reach the registry. The record as stored,
     * with its number, is what {@link #load} gives.
     *
     * @param record as for {@link #save}; an earlier draft of it is replaced
     * @throws OcopException {@link Status#EINVAL}, {@link Status#ELIMIT} {@link
     *     OcopException#getField} names the field; {@link Status#EPERM} as {@link #save}; {@link
     *     Status#ESTATE} submitted already (use {@link #amend}), or this store is a copy that waits
     *     for a new device number
     */
    public void submit(@NonNull MessageLite record) throws OcopException {
        act(s -> Native.submit(s, Kind.nameOf(record), record.toByteArray()));
    }

    /**
     * Submit the draft that is stored: of a new record, or of an amendment.
     *
     * @param id of the record
     * @param reason why; required for an amendment, not read for a new record
     * @throws OcopException as {@link #submit} or {@link #amend}; {@link Status#ENOTFOUND} no such
     *     record, or it has no draft. The draft stays
     */
    public void submitDraft(@NonNull ByteString id, @Nullable String reason) throws OcopException {
        act(s -> Native.submitDraft(s, id.toByteArray(), Native.utf8(reason)));
    }

    /**
     * Amend a submitted record: what differs from the one that was loaded is a change of its own. A
     * draft of the record is replaced. Where nothing differs, nothing is stored.
     *
     * @param record as loaded and edited
     * @param reason why
     * @throws OcopException {@link Status#EINVAL}, {@link Status#ELIMIT} as {@link #save}; {@link
     *     Status#EPERM}; {@link Status#ENOTFOUND}; {@link Status#ESTATE} not submitted yet, refused
     *     (submit it again), or voided
     */
    public void amend(@NonNull MessageLite record, @NonNull String reason) throws OcopException {
        act(s -> Native.amend(s, Kind.nameOf(record), record.toByteArray(), text(reason)));
    }

    /**
     * Add an element to a list that is open to others, such as the custody steps of a sample.
     *
     * @param kind of the record
     * @param id of the record
     * @param list name of the field, such as {@code "custody"}
     * @param element a message such as {@code CustodyStep}; without a key it gets one
     * @param reason why
     * @throws OcopException as {@link #amend}; {@link Status#EPERM} the list is not open
     */
    public void add(
            @NonNull Kind<?> kind,
            @NonNull ByteString id,
            @NonNull String list,
            @NonNull MessageLite element,
            @NonNull String reason)
            throws OcopException {
        byte[] l = text(list);
        byte[] e = element.toByteArray();
        act(s -> Native.add(s, kind.utf8, id.toByteArray(), l, e, text(reason)));
    }

    /**
     * Void a submitted record. It stays, marked; a draft of an amendment is discarded. A draft that
     * was never submitted, or a record that the registry refused, is discarded instead, as a whole,
     * and needs no reason.
     *
     * @param id of the record
     * @param reason why
     * @throws OcopException {@link Status#EINVAL} no reason; {@link Status#EPERM}; {@link
     *     Status#ENOTFOUND}; {@link Status#ESTATE} voided already
     */
    public void voidRecord(@NonNull ByteString id, @Nullable String reason) throws OcopException {
        act(s -> Native.voidRecord(s, id.toByteArray(), Native.utf8(reason)));
    }

    /**
     * Discard the draft of a record, whose submitted state stays; where it has none, what the registry
     * refused of it: with a refused creation goes the whole record.
     *
     * @param id of the record
     * @throws OcopException {@link Status#ENOTFOUND} there is neither
     */
    public void discard(@NonNull ByteString id) throws OcopException {
        act(s -> Native.discard(s, id.toByteArray()));
    }

    /**
     * Load a record as this device sees it: the registry's state with its own pending edits.
     *
     * <p>It may stand open in an editor while a sync brings what others changed. So it carries what
     * was loaded, in an unknown field; saved or amended, only what differs from that is an edit. Edit
     * it through {@code toBuilder()}, which keeps that field.
     *
     * @param <T> class of the record
     * @param kind of the record
     * @param id of the record
     * @return as stored
     * @throws OcopException {@link Status#ENOTFOUND} no record of this kind has this id
     */
    @NonNull
    public <T extends MessageLite> T load(@NonNull Kind<T> kind, @NonNull ByteString id)
            throws OcopException {
        return kind.parse(ask(s -> Native.load(s, kind.utf8, id.toByteArray())));
    }

    // --- files: photos, signatures, documents ---

    /**
     * Attach a photo, a signature or a document to a record: a new record of kind attachment, and a
     * copy of the content beside the store. Once this has returned both survive power loss, and the
     * source may go. Of a record that is a draft the attachment is one too, and goes with it.
     *
     * @param record an inspection, a sample, an environmental check, a producer, a product or a
     *     certificate
     * @param attachment a path, bytes or an open descriptor, and what is said of it
     * @return id of the attachment
     * @throws OcopException {@link Status#EINVAL}, {@link Status#ELIMIT} {@link
     *     OcopException#getField} names the member; {@link Status#ENOTFOUND} no such file, or no such
     *     record; {@link Status#EBUSY} the file changed while it was read; {@link Status#EIO}; {@link
     *     Status#ESTATE} the record is voided; {@link Status#EPERM} as {@link #save}
     */
    @NonNull
    public ByteString attach(@NonNull ByteString record, @NonNull Attachment attachment)
            throws OcopException {
        byte[] a = attachment.toByteArray();
        byte[] id = ask(s -> Native.attach(s, record.toByteArray(), a));
        return ByteString.copyFrom(id);
    }

    /**
     * Attach what a stream gives, to its end: of {@code ContentResolver.openInputStream(uri)}, say. It is
     * copied as it comes and never held in memory as a whole. The stream stays open.
     *
     * @param record as of {@link #attach(ByteString, Attachment)}
     * @param attachment role, name and what else is known; where its content is does not count
     * @param content read on this thread
     * @return id of the attachment
     * @throws OcopException as {@link #attach(ByteString, Attachment)}
     * @throws IOException what the stream throws; then nothing is attached
     */
    @NonNull
    public ByteString attach(@NonNull ByteString record, @NonNull Attachment attachment,
            @NonNull InputStream content) throws OcopException, IOException {
        byte[] a = attachment.toByteArray();
        Objects.requireNonNull(content);
        try {
            byte[] id = ask(s -> Native.attachStream(s, record.toByteArray(), a, content));
            return ByteString.copyFrom(id);
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    /**
     * Attach a signature as it was written: its strokes become a small SVG, with the times of their points.
     *
     * @param record as of {@link #attach}
     * @param strokes at most 20,000 points in all; of each MotionEvent all historical ones, too
     * @param attachment caption, time, place and name; neither content nor role
     * @return id of the attachment
     * @throws OcopException {@link Status#EINVAL}, {@link Status#ELIMIT} a stroke is not as it should be;
     *     and as {@link #attach}
     */
    @NonNull
    public ByteString attachStrokes(@NonNull ByteString record, @NonNull Strokes strokes,
            @NonNull Attachment attachment) throws OcopException {
        byte[] s = strokes.toByteArray();
        byte[] a = attachment.toByteArray();
        byte[] id = ask(h -> Native.attachStrokes(h, record.toByteArray(), s, a));
        return ByteString.copyFrom(id);
    }

    /**
     * What is attached, the newest first; without what is voided.
     *
     * @param record null: to any
     * @return with the state of each
     * @throws OcopException as every method
     */
    @NonNull
    public FileList files(@Nullable ByteString record) throws OcopException {
        byte[] r = record == null ? null : record.toByteArray();
        return Native.message(FileList.parser(), ask(s -> Native.files(s, r)));
    }

    /**
     * Read of an attachment's content; a stream is this call again and again.
     *
     * @param attachment its id
     * @param at the first byte
     * @param len how many
     * @return fewer only at the end
     * @throws OcopException {@link Status#ENOTFOUND} no such attachment, or its content is not here;
     *     {@link Status#EDAMAGED} it is not what was written; {@link Status#EIO}
     */
    @NonNull
    public byte[] readFile(@NonNull ByteString attachment, long at, int len) throws OcopException {
        return ask(s -> Native.readFile(s, attachment.toByteArray(), at, len));
    }

    /**
     * A content as a stream, of which a small part at a time is in memory: for a decoder, or to be copied
     * into a file or another app's descriptor. Not for several threads.
     *
     * @param attachment its id
     * @return to be read while this store is open; what {@link #readFile} would throw comes as the cause of
     *     an IOException
     * @throws OcopException as {@link #readFile}
     */
    @NonNull
    public InputStream openFile(@NonNull ByteString attachment) throws OcopException {
        return new ContentStream(this, Objects.requireNonNull(attachment));
    }

    /**
     * Ask for the content of an attachment: the next sync fetches it, if the registry has it.
     *
     * @param attachment its id
     * @throws OcopException {@link Status#ENOTFOUND}; {@link Status#ELIMIT} more than all files may
     *     have
     */
    public void fetch(@NonNull ByteString attachment) throws OcopException {
        act(s -> Native.fetch(s, attachment.toByteArray()));
    }

    /**
     * Ask for thumbnails: small JPEGs, of 256 pixels at most, which the registry makes of the JPEGs that it
     * holds. The next sync fetches them before any file; one that is not made yet comes with a later sync.
     *
     * @param of a record or an attachment; null: the newest of all
     * @return how many of them are not here
     * @throws OcopException {@link Status#ENOTFOUND} it has no attachments, and is none
     */
    public int fetchThumbnails(@Nullable ByteString of) throws OcopException {
        byte[] o = of == null ? null : of.toByteArray();
        return ask(s -> Native.fetchThumbnails(s, o));
    }

    /**
     * The thumbnail of an attachment, for BitmapFactory.decodeByteArray or any other.
     *
     * @param attachment its id
     * @return a JPEG
     * @throws OcopException {@link Status#ENOTFOUND} it is not here, with whether it will be
     */
    @NonNull
    public byte[] readThumbnail(@NonNull ByteString attachment) throws OcopException {
        return ask(s -> Native.readThumbnail(s, attachment.toByteArray()));
    }

    /**
     * Let go of files until at most so many bytes of them are here: of those that the registry holds.
     * What was not sent stays, however much that is.
     *
     * @param bytes at most
     * @return how many went
     * @throws OcopException as every method
     */
    public int keepFiles(long bytes) throws OcopException {
        return ask(s -> Native.keepFiles(s, bytes));
    }

    /**
     * How much files may take.
     *
     * @return as kept in the store
     * @throws OcopException as every method
     */
    @NonNull
    public FileLimits fileLimits() throws OcopException {
        return Native.message(FileLimits.parser(), ask(Native::fileLimits));
    }

    /**
     * Say how much files may take. What is there already stays.
     *
     * @param limits all three
     * @throws OcopException {@link Status#ELIMIT}, {@link Status#EINVAL} with the member named
     */
    public void setFileLimits(@NonNull FileLimits limits) throws OcopException {
        byte[] l = limits.toByteArray();
        act(s -> Native.setFileLimits(s, l));
    }

    /**
     * What becomes of photos that are attached.
     *
     * @return as kept in the store; at first they are kept as they come
     * @throws OcopException as every method
     */
    @NonNull
    public ImageSettings imageSettings() throws OcopException {
        return Native.message(ImageSettings.parser(), ask(Native::imageSettings));
    }

    /**
     * Say what becomes of photos that are attached: a JPEG whose longer side has more pixels than is said
     * is scaled down to it, turned as it was. What cannot be decoded is kept as it is. What is attached
     * already stays.
     *
     * @param settings all four; 2,048 pixels of quality 80 are some 500 KiB
     * @throws OcopException {@link Status#ELIMIT} with the member named
     */
    public void setImageSettings(@NonNull ImageSettings settings) throws OcopException {
        byte[] how = settings.toByteArray();
        act(s -> Native.setImageSettings(s, how));
    }

    /**
     * Remove what a killed process left among the files, and contents that nothing names. Done by
     * itself when there is need.
     *
     * @return how many
     * @throws OcopException as every method
     */
    public int sweepFiles() throws OcopException {
        return ask(Native::sweepFiles);
    }

    // --- JSON ---

    /**
     * A record as JSON with protobuf's canonical names.
     *
     * @param record of any kind
     * @param pretty with line breaks
     * @return one object
     * @throws OcopException {@link Status#EINVAL} no record of a kind; {@link Status#ELIMIT} too large
     */
    @NonNull
    public static String toJson(@NonNull MessageLite record, boolean pretty) throws OcopException {
        return Native.text(
                Native.toJson(Kind.nameOf(record), record.toByteArray(), pretty));
    }

    /**
     * A record from JSON.
     *
     * @param <T> class of the record
     * @param kind of the record
     * @param base the members of {@code json} are put over it; may be null
     * @param json one object
     * @return a record that is not stored yet
     * @throws OcopException {@link Status#EINVAL} with the field named
     */
    @NonNull
    public <T extends MessageLite> T fromJson(
            @NonNull Kind<T> kind, @Nullable T base, @NonNull String json) throws OcopException {
        byte[] b = base == null ? null : base.toByteArray();
        return kind.parse(ask(s -> Native.fromJson(s, kind.utf8, b, text(json))));
    }

    /**
     * A record with one field set by text.
     *
     * @param <T> class of the record
     * @param kind of the record
     * @param record stays as it is
     * @param assignment {@code "name=value"} or {@code "answers[NC.1].answer=fail"}; {@code "name="}
     *     clears
     * @return a record that is not stored yet
     * @throws OcopException {@link Status#EINVAL} with the field named
     */
    @NonNull
    public <T extends MessageLite> T setText(
            @NonNull Kind<T> kind, @NonNull T record, @NonNull String assignment)
            throws OcopException {
        byte[] r = record.toByteArray();
        return kind.parse(ask(s -> Native.setText(s, kind.utf8, r, text(assignment))));
    }

    // --- find and status ---

    /**
     * Find records, the newest first.
     *
     * @param query such as {@code Kind.INSPECTION.query().setText("che").build()}
     * @return at most the query's limit
     * @throws OcopException {@link Status#EINVAL}, {@link Status#ELIMIT} name what is wrong in the query
     */
    @NonNull
    public ItemList find(@NonNull Query query) throws OcopException {
        return Native.message(
                ItemList.parser(), ask(s -> Native.find(s, query.toByteArray())));
    }

    /**
     * Where one record stands.
     *
     * @param id of the record
     * @return its state, what waits, what was refused and why, its cases
     * @throws OcopException {@link Status#ENOTFOUND}
     */
    @NonNull
    public RecordStatus recordStatus(@NonNull ByteString id) throws OcopException {
        return Native.message(
                RecordStatus.parser(), ask(s -> Native.recordStatus(s, id.toByteArray())));
    }

    /**
     * Where the store stands.
     *
     * @return its identity, counts, and when it last synced
     * @throws OcopException as every method
     */
    @NonNull
    public StoreStatus storeStatus() throws OcopException {
        return Native.message(StoreStatus.parser(), ask(Native::storeStatus));
    }

    // --- sync ---

    /**
     * Sync with default options and no listener.
     *
     * @return what was done
     * @throws OcopException as {@link #sync(SyncOptions, SyncListener)}
     */
    @NonNull
    public SyncSummary sync() throws OcopException {
        return sync(null, null);
    }

    /**
     * Exchange with the server until nothing is left to send or to receive. What was acknowledged
     * before a failure stays acknowledged; the next sync goes on where this one stopped. Call it on a
     * worker thread; one at a time.
     *
     * @param options null: defaults
     * @param listener hears where it is; may be null
     * @return what was done
     * @throws OcopException with {@link OcopException#getSummary} of what was done: {@link
     *     Status#ENOTENROLLED}; {@link Status#ENET}, {@link Status#ETIMEOUT}; {@link
     *     Status#ECANCELLED} by {@link #cancel}, {@link #close} or the listener; {@link Status#EBUSY}
     *     the server asks to come back after {@link SyncSummary#getRetryAfterMs}, another sync of
     *     this store is running, or it is to be wiped and contents are to be sent first that could not
     *     go now; {@link Status#EAUTH} not our server; {@link Status#EREVOKED} nothing
     *     on the device was deleted; {@link Status#EWIPED}; {@link Status#ESUSPENDED} what is recorded
     *     waits; {@link Status#EVERSION} the server does not speak this version
     */
    @NonNull
    public SyncSummary sync(@Nullable SyncOptions options, @Nullable SyncListener listener)
            throws OcopException {
        byte[] o = options == null ? null : options.toByteArray();
        return Native.message(SyncSummary.parser(), ask(s -> Native.sync(s, o, listener)));
    }

    /** Cancel a running sync, from any thread. Does nothing where none runs. */
    public void cancel() {
        inUse.readLock().lock();
        try {
            Native.cancel(store);
        } finally {
            inUse.readLock().unlock();
        }
    }

    /**
     * Send a refused change again as it is, its cause being gone.
     *
     * @param id of the record
     * @throws OcopException {@link Status#ESTATE} none is refused
     */
    public void resend(@NonNull ByteString id) throws OcopException {
        act(s -> Native.resend(s, id.toByteArray()));
    }

    // --- integrity and evidence ---

    /**
     * Check the file: every row against its sum and the rules, every sealed change-set's hash and
     * chain, the outbox against the records, the search index against their words. Recording and
     * syncing go on meanwhile.
     *
     * @param listener hears each finding; may be null
     * @return how many findings; 0 is good
     * @throws OcopException as every method
     */
    public int check(@Nullable CheckListener listener) throws OcopException {
        return ask(s -> Native.check(s, listener));
    }

    /**
     * Check a bundle that {@code ocopd export evidence} wrote, and tell its story. Needs neither a
     * store nor the registry.
     *
     * @param bundle the whole file
     * @param rootKey 32 bytes; null: a bundle of any registry is taken, of a made-up one too, and
     *     {@link Evidence#getRootKey} has to be compared with the one that the office has published
     * @param json the story as one JSON object, else as lines of text
     * @return says whether all in it holds
     * @throws OcopException {@link Status#EAUTH} it was altered, or another registry signed it; {@link
     *     Status#EPROTO} it is no bundle; {@link Status#EVERSION}; {@link Status#ELIMIT}
     */
    @NonNull
    public static Evidence verifyEvidence(
            @NonNull byte[] bundle, @Nullable byte[] rootKey, boolean json) throws OcopException {
        return Native.message(Evidence.parser(), Native.verifyEvidence(Objects.requireNonNull(bundle), rootKey, json));
    }

    /**
     * The same from a descriptor, that of a content URI, say, which is read once to its end and stays open.
     * The contents of attachments that the bundle carries are not held in memory.
     *
     * @param fd of {@code ParcelFileDescriptor.getFd()}
     * @param rootKey as above
     * @param folder where whole contents are written to as new files, which the story names; or null
     * @param json as above
     * @return says whether all in it holds, and how many contents are whole
     * @throws OcopException as above; {@link Status#ESTATE} a file is there already; {@link Status#EIO}
     */
    @NonNull
    public static Evidence verifyEvidence(int fd, @Nullable byte[] rootKey, @Nullable String folder,
            boolean json) throws OcopException {
        return Native.message(
                Evidence.parser(), Native.verifyEvidenceFd(fd, rootKey, Native.utf8(folder), json));
    }

    // --- names, ids, version ---

    /**
     * An id as text.
     *
     * @param id 16 bytes
     * @return 36 characters
     * @throws OcopException {@link Status#EINVAL} it has not 16 bytes
     */
    @NonNull
    public static String idText(@NonNull ByteString id) throws OcopException {
        return Native.text(Native.idText(id.toByteArray()));
    }

    /**
     * An id from text.
     *
     * @param text as {@link #idText} gives
     * @return null where it is no id
     * @throws OcopException {@link Status#EINVAL} the text holds U+0000
     */
    @Nullable
    public static ByteString parseId(@NonNull String text) throws OcopException {
        byte[] id = Native.parseId(text(text));
        return id == null ? null : ByteString.copyFrom(id);
    }

    /**
     * Are two names the same, whatever their case, spaces, apostrophes, style of tone marks and normal
     * form? Diacritics count.
     *
     * @param one may be null
     * @param other may be null
     * @return false where either is null
     * @throws OcopException {@link Status#EINVAL} a name holds U+0000
     */
    public static boolean sameName(@Nullable String one, @Nullable String other)
            throws OcopException {
        return Native.sameName(Native.utf8(one), Native.utf8(other));
    }

    /**
     * Version of the library.
     *
     * @return such as {@code "0.1.0"}
     */
    @NonNull
    public static String version() {
        return Native.text(Native.version());
    }

    // --- the border ---

    private interface Ask<R> {
        R of(long store) throws OcopException;
    }

    private interface Act {
        void on(long store) throws OcopException;
    }

    /* Calls go side by side; close waits until none is left. */
    private <R> R ask(Ask<R> call) throws OcopException {
        inUse.readLock().lock();
        try {
            if (closing) {
                throw new OcopException(
                        Status.ESTATE_VALUE, new byte[0], text("this store is closed"), null);
            }
            return call.of(store);
        } finally {
            inUse.readLock().unlock();
        }
    }

    private void act(Act call) throws OcopException {
        ask(
                s -> {
                    call.on(s);
                    return null;
                });
    }

    /* Of what may not be null. */
    private static byte[] text(String text) {
        return Native.utf8(Objects.requireNonNull(text));
    }
}
