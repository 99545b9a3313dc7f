package vn.ocop.field;

import androidx.annotation.NonNull;
import androidx.annotation.Nullable;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import vn.ocop.field.records.Attachment;
import vn.ocop.field.records.Certificate;
import vn.ocop.field.records.Checklist;
import vn.ocop.field.records.CodeList;
import vn.ocop.field.records.EnvironmentalCheck;
import vn.ocop.field.records.Inspection;
import vn.ocop.field.records.Officer;
import vn.ocop.field.records.Producer;
import vn.ocop.field.records.Product;
import vn.ocop.field.records.Sample;
import vn.ocop.field.records.Unit;

/**
 * A type of record, with its class. The classes are those of records.proto.
 *
 * @param <T> class of its records
 */
public final class Kind<T extends MessageLite> {
    /** An administrative unit. */
    public static final Kind<Unit> UNIT = new Kind<>("unit", Unit.class, Unit.parser());

    /** An officer. */
    public static final Kind<Officer> OFFICER =
            new Kind<>("officer", Officer.class, Officer.parser());

    /** A producer. */
    public static final Kind<Producer> PRODUCER =
            new Kind<>("producer", Producer.class, Producer.parser());

    /** A product. */
    public static final Kind<Product> PRODUCT =
            new Kind<>("product", Product.class, Product.parser());

    /** A product's certificate. */
    public static final Kind<Certificate> CERTIFICATE =
            new Kind<>("certificate", Certificate.class, Certificate.parser());

    /** A dated list of questions. */
    public static final Kind<Checklist> CHECKLIST =
            new Kind<>("checklist", Checklist.class, Checklist.parser());

    /** A dated list of the codes that a field may hold. */
    public static final Kind<CodeList> CODE_LIST =
            new Kind<>("code_list", CodeList.class, CodeList.parser());

    /** The minutes of an inspection. */
    public static final Kind<Inspection> INSPECTION =
            new Kind<>("inspection", Inspection.class, Inspection.parser());

    /** The minutes of taking a sample. */
    public static final Kind<Sample> SAMPLE = new Kind<>("sample", Sample.class, Sample.parser());

    /** The minutes of an environmental check. */
    public static final Kind<EnvironmentalCheck> ENVIRONMENTAL_CHECK =
            new Kind<>(
                    "environmental_check", EnvironmentalCheck.class, EnvironmentalCheck.parser());

    /** What is recorded of a photo, a signature or a document; its content is a file. */
    public static final Kind<Attachment> ATTACHMENT =
            new Kind<>("attachment", Attachment.class, Attachment.parser());

    private static final List<Kind<?>> ALL =
            Collections.unmodifiableList(
                    Arrays.<Kind<?>>asList(
                            UNIT,
                            OFFICER,
                            PRODUCER,
                            PRODUCT,
                            CERTIFICATE,
                            CHECKLIST,
                            CODE_LIST,
                            INSPECTION,
                            SAMPLE,
                            ENVIRONMENTAL_CHECK,
                            ATTACHMENT));

    private final String name;
    private final Class<T> records;
    private final Parser<T> parser;
    final byte[] utf8;

    private Kind(String name, Class<T> records, Parser<T> parser) {
        this.name = name;
        this.records = records;
        this.parser = parser;
        this.utf8 = Native.utf8(name);
    }

    /**
     * All kinds.
     *
     * @return in no particular order
     */
    @NonNull
    public static List<Kind<?>> all() {
        return ALL;
    }

    /**
     * The kind of this name, such as {@link Item#getKind()} gives.
     *
     * @param name such as {@code "inspection"}
     * @return null where this library knows none
     */
    @Nullable
    public static Kind<?> named(@NonNull String name) {
        for (Kind<?> k : ALL) {
            if (k.name.equals(name)) {
                return k;
            }
        }
        return null;
    }

    /**
     * The name of this kind, in queries and in JSON.
     *
     * @return such as {@code "inspection"}
     */
    @NonNull
    public String getName() {
        return name;
    }

    /**
     * Begin a query for records of this kind.
     *
     * @return to be narrowed and built
     */
    @NonNull
    public Query.Builder query() {
        return Query.newBuilder().setKind(name);
    }

    @Override
    @NonNull
    public String toString() {
        return name;
    }

    T parse(byte[] packed) {
        return Native.message(parser, packed);
    }

    /* The name for C of a record's kind; "" of what is no record, which C refuses. */
    static byte[] nameOf(MessageLite record) {
        for (Kind<?> k : ALL) {
            if (k.records == record.getClass()) {
                return k.utf8;
            }
        }
        return new byte[0];
    }
}
