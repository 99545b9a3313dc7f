/* The table of kinds. A field of records.proto has its one line here; tests/unit/test_schema.c
 * holds the two and the migrations against each other. Knows no database and no wire. */
#include "kinds.h"

#include <string.h>

#include "bounds.h"
#include "err.h"
#include "records.pb-c.h"
#include "rights.h"

#define TEXT(n, flags, max)                                                                        \
    {                                                                                              \
        n, MERGE_HOLD, flags, CHECK_TEXT, 0, max, NULL, NULL, NULL                                 \
    }
#define LAST(n, flags, max)                                                                        \
    {                                                                                              \
        n, MERGE_LAST, flags, CHECK_TEXT, 0, max, NULL, NULL, NULL                                 \
    }
#define NOTE(n, flags, max)                                                                        \
    {                                                                                              \
        n, MERGE_HOLD, flags, CHECK_NOTE, 0, max, NULL, NULL, NULL                                 \
    }
#define CODE(n, flags, list)                                                                       \
    {                                                                                              \
        n, MERGE_HOLD, flags, CHECK_CODE, 0, KEY_BYTES_MAX, list, NULL, NULL                       \
    }
#define DATE(n, flags)                                                                             \
    {                                                                                              \
        n, MERGE_HOLD, flags, CHECK_DATE, 0, 0, NULL, NULL, NULL                                   \
    }
#define DECIMAL(n, flags)                                                                          \
    {                                                                                              \
        n, MERGE_HOLD, flags, CHECK_DECIMAL, 0, 0, NULL, NULL, NULL                                \
    }
#define RANGE(n, flags, lo, hi)                                                                    \
    {                                                                                              \
        n, MERGE_HOLD, flags, CHECK_RANGE, lo, hi, NULL, NULL, NULL                                \
    }
#define REF(n, flags, kind)                                                                        \
    {                                                                                              \
        n, MERGE_HOLD, flags, CHECK_REF, kind, 0, NULL, NULL, NULL                                 \
    }
#define BYTES(n, flags, len)                                                                       \
    {                                                                                              \
        n, MERGE_HOLD, flags, CHECK_BYTES, 0, len, NULL, NULL, NULL                                \
    }
#define DATA(n, flags, max)                                                                        \
    {                                                                                              \
        n, MERGE_HOLD, flags, CHECK_BYTES, 1, max, NULL, NULL, NULL                                \
    }
#define LIST(n, merge, flags, rules, max)                                                          \
    {                                                                                              \
        n, merge, flags, CHECK_LIST, 0, max, NULL, rules, NULL                                     \
    }
#define PAPER(n, prefix)                                                                           \
    {                                                                                              \
        n, MERGE_HOLD, FIELD_PAPER | FIELD_NATURAL | FIELD_SEARCH | FIELD_LABEL | FIELD_FIXED,     \
            CHECK_TEXT, 0, 64, prefix, NULL, NULL                                                  \
    }
#define END                                                                                        \
    {                                                                                              \
        0, MERGE_HOLD, 0, CHECK_NONE, 0, 0, NULL, NULL, NULL                                       \
    }

#define MOMENT_MAX INT64_C(7258118400000) /* the year 2200 */
#define MOMENT(n, flags) RANGE(n, flags, 0, MOMENT_MAX)
#define COORDINATES(lat, lon)                                                                      \
    RANGE(lat, 0, -90000000, 90000000), RANGE(lon, 0, -180000000, 180000000)

#define COMMON(unit_flags)                                                                         \
    BYTES(FIELD_ID, FIELD_FIXED, ID_LEN), REF(FIELD_UNIT, unit_flags, KIND_UNIT),                  \
        REF(FIELD_OFFICER, FIELD_SEALED, KIND_OFFICER), MOMENT(FIELD_RECORDED_MS, FIELD_SEALED),   \
        TEXT(FIELD_RULE_SET, FIELD_FIXED, 64), RANGE(FIELD_VOIDED, 0, 0, 1),                       \
        NOTE(FIELD_VOID_REASON, 0, REASON_BYTES_MAX)

#define ORDER(first, second, text)                                                                 \
    {                                                                                              \
        0, false, first, second, text                                                              \
    }
/* From a date of the record to one of the list's elements; and between two of one element. */
#define ORDER_OF(list, first, second, text)                                                        \
    {                                                                                              \
        list, false, first, second, text                                                           \
    }
#define ORDER_IN(list, first, second, text)                                                        \
    {                                                                                              \
        list, true, first, second, text                                                            \
    }
#define ORDER_END                                                                                  \
    {                                                                                              \
        0, false, 0, 0, NULL                                                                       \
    }

enum { KEYED = FIELD_REQUIRED, SEEN = FIELD_SEARCH, LABEL = FIELD_SEARCH | FIELD_LABEL };

/* --- elements of lists ----------------------------------------------------------------------- */

static const struct field_rule succession[] = {REF(1, KEYED, KIND_UNIT),
                                               CODE(2, FIELD_REQUIRED, "succession_extent"), END};
static const struct field_rule officer_role[] = {CODE(1, KEYED, "role"), DATE(2, 0), DATE(3, 0),
                                                 END};
static const struct field_rule question[] = {TEXT(1, KEYED, KEY_BYTES_MAX),
                                             RANGE(2, 0, 0, 10000),
                                             TEXT(3, 0, 64),
                                             NOTE(4, FIELD_REQUIRED, 2000),
                                             TEXT(5, 0, 500),
                                             CODE(6, 0, "severity"),
                                             RANGE(7, 0, 0, 1),
                                             END};
static const struct field_rule code_item[] = {TEXT(1, KEYED, KEY_BYTES_MAX),
                                              TEXT(2, FIELD_REQUIRED, 500),
                                              DATE(3, 0),
                                              DATE(4, 0),
                                              TEXT(5, 0, KEY_BYTES_MAX),
                                              END};
static const struct field_rule answer[] = {
    TEXT(1, KEYED, KEY_BYTES_MAX), CODE(2, FIELD_REQUIRED, "answer"), NOTE(3, SEEN, 2000), END};
static const struct field_rule finding[] = {BYTES(1, KEYED, ID_LEN),
                                            TEXT(2, 0, 64),
                                            NOTE(3, FIELD_REQUIRED | SEEN, 4000),
                                            TEXT(4, SEEN, 500),
                                            CODE(5, FIELD_REQUIRED, "severity"),
                                            NOTE(6, SEEN, 4000),
                                            DATE(7, 0),
                                            RANGE(8, 0, 0, INT64_C(1000000000000)),
                                            DATE(9, 0),
                                            NOTE(10, SEEN, 4000),
                                            TEXT(11, 0, KEY_BYTES_MAX),
                                            END};
static const struct field_rule participant[] = {BYTES(1, KEYED, ID_LEN),
                                                TEXT(2, FIELD_REQUIRED | SEEN, 200),
                                                TEXT(3, 0, 200),
                                                CODE(4, FIELD_REQUIRED, "participant_side"),
                                                REF(5, 0, KIND_OFFICER),
                                                RANGE(6, 0, 0, 1),
                                                END};
static const struct field_rule sample_part[] = {BYTES(1, KEYED, ID_LEN),
                                                CODE(2, FIELD_REQUIRED, "part_role"),
                                                TEXT(3, FIELD_REQUIRED | SEEN, 64),
                                                DECIMAL(4, 0),
                                                TEXT(5, 0, 32),
                                                TEXT(6, 0, 200),
                                                DATE(7, 0),
                                                TEXT(8, 0, 200),
                                                END};
static const struct field_rule requested_parameter[] = {TEXT(1, KEYED, KEY_BYTES_MAX),
                                                        TEXT(2, 0, 200), TEXT(3, 0, 200), END};
static const struct field_rule custody_step[] = {BYTES(1, KEYED, ID_LEN),
                                                 BYTES(2, 0, ID_LEN),
                                                 TEXT(3, FIELD_REQUIRED, 200),
                                                 TEXT(4, FIELD_REQUIRED, 200),
                                                 MOMENT(5, FIELD_REQUIRED),
                                                 TEXT(6, 0, 200),
                                                 NOTE(7, 0, 2000),
                                                 END};
static const struct field_rule measurement[] = {
    BYTES(1, KEYED, ID_LEN),
    CODE(2, FIELD_REQUIRED, "medium"),
    TEXT(3, FIELD_REQUIRED, 64),
    CODE(4, 0, "qualifier"),
    {5, MERGE_HOLD, 0, CHECK_DECIMAL, -1, 0, NULL, NULL, NULL},
    TEXT(6, 0, 32),
    DECIMAL(7, 0),
    TEXT(8, 0, 200),
    CODE(9, 0, "conclusion"),
    TEXT(10, 0, 200),
    TEXT(11, 0, 200),
    TEXT(12, 0, 200),
    END};
static const struct field_rule sign_key[] = {BYTES(1, KEYED, 32), RANGE(2, 0, 0, INT64_MAX),
                                             BYTES(3, 0, 64),     RANGE(4, 0, 0, INT64_MAX),
                                             BYTES(5, 0, 32),     MOMENT(6, 0),
                                             RANGE(7, 0, 0, 1),   END};
static const struct field_rule scope_unit[] = {REF(1, KEYED, KIND_UNIT), END};
static const struct field_rule scope_record[] = {REF(1, KEYED, 0), END};
static const struct field_rule lineage[] = {BYTES(1, KEYED, ID_LEN), BYTES(2, 0, ID_LEN),
                                            RANGE(3, 0, 0, INT64_MAX), END};

/* --- kinds ----------------------------------------------------------------------------------- */

static struct field_rule unit_fields[] = {COMMON(0),
                                          TEXT(10, FIELD_REQUIRED | FIELD_NATURAL | SEEN, 16),
                                          TEXT(11, FIELD_REQUIRED | LABEL, 200),
                                          CODE(12, FIELD_REQUIRED, "unit_level"),
                                          REF(13, 0, KIND_UNIT),
                                          DATE(14, FIELD_REQUIRED),
                                          DATE(15, 0),
                                          LIST(16, MERGE_UNION, 0, succession, 100),
                                          END};
static const struct date_order unit_orders[] = {ORDER(14, 15, "a unit cannot end before it begins"),
                                                ORDER_END};

static struct field_rule officer_fields[] = {COMMON(0),
                                             TEXT(10, FIELD_REQUIRED | LABEL, 200),
                                             LAST(11, SEEN, 200),
                                             LAST(12, 0, 200),
                                             LAST(13, 0, 64),
                                             LAST(14, 0, 200),
                                             LIST(15, MERGE_HOLD, 0, officer_role, 20),
                                             END};

static const struct date_order officer_orders[] = {
    ORDER_IN(15, 2, 3, "a role cannot end before it begins"), ORDER_END};

static struct field_rule producer_fields[] = {COMMON(FIELD_REQUIRED),
                                              TEXT(10, FIELD_REQUIRED | LABEL, 300),
                                              CODE(11, FIELD_REQUIRED, "producer_type"),
                                              TEXT(12, FIELD_NATURAL | SEEN, 32),
                                              TEXT(13, SEEN, 200),
                                              LAST(14, 0, 200),
                                              LAST(15, SEEN, 500),
                                              LAST(16, SEEN, 64),
                                              LAST(17, 0, 200),
                                              TEXT(18, 0, 64),
                                              DATE(19, 0),
                                              COORDINATES(20, 21),
                                              NOTE(22, SEEN, 4000),
                                              END};

static struct field_rule product_fields[] = {
    COMMON(FIELD_REQUIRED),
    TEXT(10, FIELD_REQUIRED | LABEL, 300),
    REF(11, FIELD_REQUIRED, KIND_PRODUCER),
    TEXT(12, FIELD_NATURAL | SEEN, 64),
    RANGE(13, 0, 1, 26),
    {14, MERGE_CENTRAL, 0, CHECK_RANGE, 0, 5, NULL, NULL, NULL},
    {15, MERGE_CENTRAL, 0, CHECK_RANGE, 2018, 2100, NULL, NULL, NULL},
    TEXT(16, 0, 300),
    TEXT(17, 0, 200),
    TEXT(18, SEEN, 100),
    TEXT(19, SEEN, 64),
    NOTE(20, 0, 4000),
    NOTE(21, SEEN, 4000),
    END};

static struct field_rule certificate_fields[] = {
    COMMON(FIELD_REQUIRED),
    TEXT(10, FIELD_REQUIRED | FIELD_NATURAL | LABEL, 64),
    REF(11, FIELD_REQUIRED, KIND_PRODUCT),
    REF(12, 0, KIND_PRODUCER),
    RANGE(13, FIELD_REQUIRED, 3, 5),
    TEXT(14, FIELD_REQUIRED | SEEN, 64),
    DATE(15, FIELD_REQUIRED),
    TEXT(16, 0, 200),
    DATE(17, FIELD_REQUIRED),
    DATE(18, FIELD_REQUIRED),
    DATE(19, 0),
    DATE(20, 0),
    CODE(21, 0, "revocation_ground"),
    TEXT(22, 0, 64),
    END};
static const struct date_order certificate_orders[] = {
    ORDER(15, 17, "a certificate cannot be issued before its decision"),
    ORDER(17, 18, "a certificate cannot expire before it is issued"),
    ORDER(18, 19, "an extension cannot end before the expiry it extends"),
    ORDER(17, 20, "a certificate cannot be revoked before it is issued"), ORDER_END};

static struct field_rule checklist_fields[] = {COMMON(0),
                                               TEXT(10, FIELD_REQUIRED | LABEL, 64),
                                               TEXT(11, FIELD_REQUIRED | SEEN, 300),
                                               TEXT(12, FIELD_REQUIRED, 64),
                                               DATE(13, FIELD_REQUIRED),
                                               DATE(14, 0),
                                               REF(15, 0, KIND_CHECKLIST),
                                               DATE(16, 0),
                                               DATE(17, 0),
                                               LIST(18, MERGE_HOLD, 0, question, 500),
                                               END};
static const struct date_order checklist_orders[] = {
    ORDER(13, 14, "a checklist cannot end before it begins"),
    ORDER(16, 17, "a suspension cannot end before it begins"), ORDER_END};

static struct field_rule code_list_fields[] = {COMMON(0), TEXT(10, FIELD_REQUIRED | LABEL, 64),
                                               TEXT(11, FIELD_REQUIRED, 300),
                                               LIST(12, MERGE_HOLD, 0, code_item, 500), END};

static const struct date_order code_list_orders[] = {
    ORDER_IN(12, 3, 4, "a code cannot end before it begins"), ORDER_END};

static struct field_rule inspection_fields[] = {COMMON(FIELD_REQUIRED),
                                                REF(10, FIELD_REQUIRED, KIND_PRODUCER),
                                                REF(11, 0, KIND_PRODUCT),
                                                TEXT(12, SEEN, 300),
                                                TEXT(13, SEEN, 64),
                                                CODE(14, FIELD_REQUIRED, "inspection_type"),
                                                TEXT(15, SEEN, 64),
                                                DATE(16, 0),
                                                DATE(17, FIELD_REQUIRED),
                                                MOMENT(18, 0),
                                                MOMENT(19, 0),
                                                PAPER(20, "BB"),
                                                REF(21, 0, KIND_CHECKLIST),
                                                TEXT(22, SEEN, 64),
                                                COORDINATES(23, 24),
                                                RANGE(25, 0, 0, 100000),
                                                CODE(26, FIELD_REQUIRED, "conclusion"),
                                                RANGE(27, 0, 0, 100),
                                                CODE(28, 0, "facility_grade"),
                                                LIST(29, MERGE_HOLD, 0, answer, LIST_ITEMS_MAX),
                                                LIST(30, MERGE_HOLD, FIELD_OPEN, finding, 200),
                                                LIST(31, MERGE_HOLD, 0, participant, 100),
                                                NOTE(32, SEEN, 4000),
                                                NOTE(33, SEEN, 4000),
                                                NOTE(34, SEEN, TEXT_BYTES_MAX),
                                                RANGE(35, 0, 0, 1),
                                                DATE(36, 0),
                                                TEXT(37, SEEN, 64),
                                                DATE(38, 0),
                                                RANGE(39, 0, 0, INT64_C(1000000000000)),
                                                RANGE(40, 0, 0, 100),
                                                TEXT(41, SEEN, 64),
                                                TEXT(42, 0, 500),
                                                TEXT(43, SEEN, 500),
                                                TEXT(44, 0, 200),
                                                RANGE(45, 0, 0, 1000000),
                                                TEXT(46, 0, 300),
                                                RANGE(47, 0, 0, 1),
                                                NOTE(48, 0, 2000),
                                                NOTE(49, SEEN, 4000),
                                                END};
static const struct date_order inspection_orders[] = {
    ORDER(16, 17, "the decision cannot be later than the inspection"),
    ORDER(17, 36, "the follow-up cannot be before the inspection"),
    ORDER(17, 38, "the sanction cannot be before the inspection"),
    ORDER(18, 19, "an inspection cannot end before it begins"),
    ORDER_OF(30, 17, 7, "a remedy cannot be due before the inspection"),
    ORDER_OF(30, 17, 9, "a finding cannot be remedied before the inspection"),
    ORDER_END};

static struct field_rule sample_fields[] = {COMMON(FIELD_REQUIRED),
                                            REF(10, FIELD_REQUIRED, KIND_PRODUCER),
                                            REF(11, FIELD_REQUIRED, KIND_PRODUCT),
                                            REF(12, 0, KIND_INSPECTION),
                                            PAPER(13, "MT"),
                                            MOMENT(14, FIELD_REQUIRED),
                                            TEXT(15, SEEN, 300),
                                            TEXT(16, SEEN, 64),
                                            DATE(17, 0),
                                            TEXT(18, SEEN, 64),
                                            DECIMAL(19, 0),
                                            TEXT(20, 0, 32),
                                            DATE(21, 0),
                                            DATE(22, 0),
                                            DECIMAL(23, FIELD_REQUIRED),
                                            TEXT(24, FIELD_REQUIRED, 32),
                                            TEXT(25, 0, 200),
                                            NOTE(26, 0, 2000),
                                            TEXT(27, 0, 300),
                                            TEXT(28, 0, 300),
                                            TEXT(29, SEEN, 100),
                                            LIST(30, MERGE_HOLD, 0, sample_part, 50),
                                            LIST(31, MERGE_UNION, 0, requested_parameter, 200),
                                            LIST(32, MERGE_UNION, FIELD_OPEN, custody_step, 200),
                                            LIST(33, MERGE_HOLD, 0, participant, 100),
                                            TEXT(34, SEEN, 300),
                                            DATE(35, 0),
                                            COORDINATES(36, 37),
                                            NOTE(38, SEEN, TEXT_BYTES_MAX),
                                            TEXT(39, SEEN, 300),
                                            TEXT(40, SEEN, 300),
                                            TEXT(41, SEEN, 300),
                                            REF(42, 0, KIND_ENVIRONMENTAL_CHECK),
                                            END};
static const struct date_order sample_orders[] = {
    ORDER(21, 22, "a lot cannot expire before it was made"),
    ORDER(17, 14, "the decision cannot be later than the sampling"),
    ORDER(21, 14, "a lot cannot be sampled before it was made"),
    ORDER(14, 35, "a sample cannot be due before it was taken"),
    ORDER_OF(30, 14, 7, "a part cannot be kept until a day before it was taken"),
    ORDER_OF(32, 14, 5, "a sample cannot be handed over before it was taken"),
    ORDER_END};

static struct field_rule environmental_check_fields[] = {
    COMMON(FIELD_REQUIRED),
    REF(10, FIELD_REQUIRED, KIND_PRODUCER),
    CODE(11, FIELD_REQUIRED, "inspection_type"),
    TEXT(12, SEEN, 64),
    DATE(13, 0),
    DATE(14, FIELD_REQUIRED),
    PAPER(15, "MTR"),
    CODE(16, 0, "environment_group"),
    CODE(17, 0, "environment_instrument"),
    TEXT(18, SEEN, 64),
    DATE(19, 0),
    TEXT(20, 0, 200),
    DECIMAL(21, 0),
    TEXT(22, 0, 500),
    COORDINATES(23, 24),
    TEXT(25, SEEN, 300),
    CODE(26, 0, "discharge_column"),
    TEXT(27, 0, 500),
    DECIMAL(28, 0),
    DECIMAL(29, 0),
    TEXT(30, 0, 200),
    DECIMAL(31, 0),
    TEXT(32, 0, 500),
    TEXT(33, 0, 300),
    LIST(34, MERGE_HOLD, 0, measurement, 500),
    LIST(35, MERGE_HOLD, FIELD_OPEN, finding, 200),
    CODE(36, FIELD_REQUIRED, "conclusion"),
    LIST(37, MERGE_HOLD, 0, participant, 100),
    NOTE(38, SEEN, 4000),
    COORDINATES(39, 40),
    REF(41, 0, KIND_CHECKLIST),
    LIST(42, MERGE_HOLD, 0, answer, LIST_ITEMS_MAX),
    NOTE(43, SEEN, TEXT_BYTES_MAX),
    TEXT(44, SEEN, 300),
    TEXT(45, SEEN, 64),
    NOTE(46, SEEN, 4000),
    END};
static const struct date_order environmental_check_orders[] = {
    ORDER(13, 14, "the decision cannot be later than the check"),
    ORDER(19, 14, "the instrument cannot be dated after the check"),
    ORDER_OF(35, 14, 7, "a remedy cannot be due before the check"),
    ORDER_OF(35, 14, 9, "a finding cannot be remedied before the check"), ORDER_END};

static struct field_rule replica_fields[] = {
    COMMON(0),
    CODE(10, FIELD_REQUIRED, "replica_type"),
    RANGE(11, 0, 0, 1000000),
    LAST(12, FIELD_LABEL, 200),
    BYTES(13, FIELD_REQUIRED, 32),
    BYTES(14, 0, 32),
    LIST(15, MERGE_HOLD, 0, scope_unit, SCOPE_UNITS_MAX),
    CODE(16, FIELD_REQUIRED, "replica_state"),
    NOTE(17, 0, REASON_BYTES_MAX),
    BYTES(18, 0, ID_LEN),
    RANGE(19, 0, 0, INT64_MAX),
    LIST(20, MERGE_HOLD, 0, scope_record, SCOPE_RECORDS_MAX),
    LIST(22, MERGE_HOLD, 0, sign_key, SIGN_KEYS_MAX),
    DATA(23, 0, CERTIFICATE_BYTES_MAX),
    MOMENT(24, 0),
    END};

static struct field_rule registry_fields[] = {
    COMMON(0), TEXT(10, FIELD_REQUIRED | FIELD_LABEL, 200), RANGE(11, FIELD_REQUIRED, 1, 10000),
    LIST(12, MERGE_HOLD, 0, lineage, LIST_ITEMS_MAX), END};

/* What it is the content of is not amended: another content is another attachment. Nor is of which
 * record it is, and with that where it lies. */
static struct field_rule attachment_fields[] = {
    COMMON(FIELD_REQUIRED | FIELD_BOUND),
    REF(ATTACHMENT_RECORD, FIELD_REQUIRED | FIELD_BOUND, 0),
    CODE(ATTACHMENT_ROLE, FIELD_REQUIRED, "attachment_role"),
    TEXT(ATTACHMENT_CAPTION, LABEL, 500),
    MOMENT(ATTACHMENT_TAKEN_MS, FIELD_SEALED),
    RANGE(ATTACHMENT_LAT_E6, FIELD_SEALED, -90000000, 90000000),
    RANGE(ATTACHMENT_LON_E6, FIELD_SEALED, -180000000, 180000000),
    TEXT(ATTACHMENT_MEDIA_TYPE, FIELD_REQUIRED | FIELD_SEALED, 100),
    RANGE(ATTACHMENT_SIZE, FIELD_REQUIRED | FIELD_SEALED, 1, ATTACHED_BYTES_MAX),
    BYTES(ATTACHMENT_HASH, FIELD_REQUIRED | FIELD_SEALED, FILE_HASH_LEN),
    TEXT(ATTACHMENT_FILE_NAME, FIELD_SEALED | SEEN, FILE_NAME_BYTES_MAX),
    BYTES(ATTACHMENT_ORIGINAL_HASH, FIELD_SEALED, FILE_HASH_LEN),
    MOMENT(ATTACHMENT_REMOVED_MS, 0),
    REF(ATTACHMENT_REMOVED_BY, 0, KIND_OFFICER),
    NOTE(ATTACHMENT_REMOVED_REASON, 0, REASON_BYTES_MAX),
    NOTE(ATTACHMENT_HOLD_REASON, 0, REASON_BYTES_MAX),
    END};

static struct kind kinds[] = {
#define KIND(number, name, title, message, fields, orders, reference, local, day)                  \
    {                                                                                              \
        number, name, name, (title), &(message), fields, sizeof(fields) / sizeof *(fields)-1,      \
            orders, reference, local, day, 0,                                                      \
        {                                                                                          \
            NULL                                                                                   \
        }                                                                                          \
    }
    KIND(KIND_UNIT, "unit", "Đơn vị hành chính", ocop__unit__descriptor, unit_fields, unit_orders,
         true, false, 14),
    KIND(KIND_OFFICER, "officer", "Cán bộ", ocop__officer__descriptor, officer_fields,
         officer_orders, true, false, 0),
    KIND(KIND_PRODUCER, "producer", "Chủ thể", ocop__producer__descriptor, producer_fields, NULL,
         false, false, 0),
    KIND(KIND_PRODUCT, "product", "Sản phẩm", ocop__product__descriptor, product_fields, NULL,
         false, false, 0),
    KIND(KIND_CERTIFICATE, "certificate", "Giấy chứng nhận", ocop__certificate__descriptor,
         certificate_fields, certificate_orders, false, false, 17),
    KIND(KIND_CHECKLIST, "checklist", "Bảng kiểm", ocop__checklist__descriptor, checklist_fields,
         checklist_orders, true, false, 13),
    KIND(KIND_CODE_LIST, "code_list", "Danh mục mã", ocop__code_list__descriptor, code_list_fields,
         code_list_orders, true, false, 0),
    KIND(KIND_INSPECTION, "inspection", "Biên bản kiểm tra", ocop__inspection__descriptor,
         inspection_fields, inspection_orders, false, false, 17),
    KIND(KIND_SAMPLE, "sample", "Biên bản lấy mẫu", ocop__sample__descriptor, sample_fields,
         sample_orders, false, false, 14),
    KIND(KIND_ENVIRONMENTAL_CHECK, "environmental_check", "Kiểm tra môi trường",
         ocop__environmental_check__descriptor, environmental_check_fields,
         environmental_check_orders, false, false, 14),
    KIND(KIND_REPLICA, "replica", "Bản sao", ocop__replica__descriptor, replica_fields, NULL, true,
         true, 0),
    KIND(KIND_REGISTRY, "registry", "Sổ đăng ký", ocop__registry__descriptor, registry_fields, NULL,
         true, true, 0),
    KIND(KIND_ATTACHMENT, "attachment", "Tệp đính kèm", ocop__attachment__descriptor,
         attachment_fields, NULL, false, false, 0),
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };
_Static_assert(KIND_COUNT == KIND_COUNT_PLUS_1 - 1, "every kind number has its row");

static void tie_items(const struct field_rule *items, const ProtobufCMessageDescriptor *desc)
{
    /* Element rules are const tables shared between kinds; their descriptors are found by number
     * when needed, so here they are only checked. */
    for (const struct field_rule *r = items; r->number; r++)
        CHECK(protobuf_c_message_descriptor_get_field(desc, r->number) != NULL);
}

void kinds_init(void)
{
    if (kinds[KIND_COUNT - 1].by_number[FIELD_ID])
        return;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        struct kind *k = &kinds[i];
        CHECK(k->number == i + 1);
        for (size_t f = 0; f < k->field_count; f++) {
            struct field_rule *r = &k->fields[f];
            CHECK(r->number < 64 && (f == 0 || k->fields[f - 1].number < r->number));
            r->desc = protobuf_c_message_descriptor_get_field(k->desc, r->number);
            CHECK(r->desc != NULL);
            CHECK(rule_is_list(r) == (r->desc->label == PROTOBUF_C_LABEL_REPEATED));
            if (rule_is_list(r))
                tie_items(r->items, r->desc->descriptor);
            k->by_number[r->number] = r;
        }
    }
    const struct field_rights *own;
    for (size_t i = 0; (own = field_rights_at(i)) != NULL; i++) {
        CHECK(kind_field(&kinds[own->kind - 1], own->number) != NULL);
        kinds[own->kind - 1].guarded |= UINT64_C(1) << own->number;
    }
}

const struct kind *kind_by_number(uint32_t number)
{
    return number >= 1 && number <= KIND_COUNT ? &kinds[number - 1] : NULL;
}

const struct kind *kind_by_name(const char *name)
{
    for (size_t i = 0; name && i < KIND_COUNT; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

const struct kind *kind_by_descriptor(const ProtobufCMessageDescriptor *desc)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (kinds[i].desc == desc)
            return &kinds[i];
    return NULL;
}

const struct kind *kind_at(size_t i)
{
    return i < KIND_COUNT ? &kinds[i] : NULL;
}

size_t kind_count(void)
{
    return KIND_COUNT;
}

const struct field_rule *kind_field_by_name(const struct kind *k, const char *name)
{
    for (size_t i = 0; i < k->field_count; i++)
        if (strcmp(k->fields[i].desc->name, name) == 0)
            return &k->fields[i];
    return NULL;
}

const struct field_rule *rule_item(const struct field_rule *list, uint32_t number)
{
    for (const struct field_rule *r = list->items; r && r->number; r++)
        if (r->number == number)
            return r;
    return NULL;
}

static const char *const role_names[] = {"inspector",           "sampler",   "laboratory",
                                         "environment_officer", "evaluator", "reconciler",
                                         "registrar",           "viewer",    "administrator"};

unsigned role_by_name(struct span name)
{
    for (unsigned i = 0; i < sizeof role_names / sizeof *role_names; i++)
        if (span_eq(name, span_str(role_names[i])))
            return 1u << i;
    return 0;
}

const char *role_name(unsigned role)
{
    for (unsigned i = 0; i < sizeof role_names / sizeof *role_names; i++)
        if (role == 1u << i)
            return role_names[i];
    return role == ROLE_REGISTRY ? "registry" : "unknown";
}
