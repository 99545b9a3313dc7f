/* The first code lists and checklists. They are data that the office amends as the law changes;
 * the tables here are only what a new registry begins with. Knows no database. */
#include "initial.h"

#include "bounds.h"

enum { CODES_MAX = 12, QUESTIONS_MAX = 16, ELEMENT_BYTES_MAX = 4096 };
enum code_list_field { LIST_CODE = 10, LIST_TITLE, LIST_ITEMS };
enum code_item_field { ITEM_CODE = 1, ITEM_TITLE = 2, ITEM_FROM = 3, ITEM_TO = 4 };
enum checklist_field {
    SHEET_CODE = 10,
    SHEET_TITLE,
    SHEET_APPLIES_TO,
    SHEET_FROM,
    SHEET_ASKS = 18
};
enum question_field { ASK_CODE = 1, ASK_POSITION, ASK_SECTION, ASK_TEXT, ASK_SEVERITY = 6 };

struct code {
    const char *code, *title;
};

struct list {
    const char *code, *title;
    const char *to; /* last day of all its codes; NULL: in effect */
    struct code codes[CODES_MAX + 1];
};

static const struct list lists[] = {
    {"unit_level",
     "Cấp hành chính",
     NULL,
     {{"country", "Cả nước"},
      {"province", "Cấp tỉnh"},
      {"district", "Cấp huyện"},
      {"commune", "Cấp xã"}}},
    {"succession_extent",
     "Mức kế thừa của đơn vị",
     NULL,
     {{"whole", "Toàn bộ"}, {"split", "Một phần"}}},
    {"role",
     "Vai trò",
     NULL,
     {{"inspector", "Người kiểm tra"},
      {"sampler", "Người lấy mẫu"},
      {"laboratory", "Phòng kiểm nghiệm"},
      {"environment_officer", "Cán bộ môi trường"},
      {"evaluator", "Người đánh giá"},
      {"reconciler", "Người xử lý khác biệt"},
      {"registrar", "Người giữ sổ đăng ký"},
      {"viewer", "Người xem"},
      {"administrator", "Quản trị viên"}}},
    {"producer_type",
     "Loại hình chủ thể",
     NULL,
     {{"cooperative", "Hợp tác xã"},
      {"cooperative_group", "Tổ hợp tác"},
      {"cooperative_union", "Liên hiệp hợp tác xã"},
      {"company", "Doanh nghiệp"},
      {"farm", "Trang trại"},
      {"household", "Hộ sản xuất, kinh doanh"}}},
    {"revocation_ground",
     "Căn cứ thu hồi giấy chứng nhận",
     NULL,
     {{"false_dossier", "Hồ sơ không trung thực"},
      {"criteria_not_met", "Không còn đáp ứng tiêu chí"},
      {"law_breach", "Vi phạm pháp luật về sản phẩm"},
      {"mark_misuse", "Sử dụng sai nhãn hiệu OCOP"},
      {"production_stopped", "Ngừng sản xuất"},
      {"other", "Căn cứ khác"}}},
    {"severity",
     "Mức lỗi",
     NULL,
     {{"minor", "Nhẹ"}, {"major", "Nặng"}, {"serious", "Nghiêm trọng"}}},
    {"inspection_type",
     "Hình thức kiểm tra",
     NULL,
     {{"appraisal", "Thẩm định"},
      {"planned", "Theo kế hoạch"},
      {"unannounced", "Đột xuất"},
      {"recheck", "Tái kiểm tra"},
      {"urgent", "Khẩn cấp"},
      {"complaint", "Theo phản ánh"}}},
    {"conclusion",
     "Kết luận",
     NULL,
     {{"pass", "Đạt"}, {"conditional", "Đạt có điều kiện"}, {"fail", "Không đạt"}}},
    {"facility_grade",
     "Xếp loại cơ sở",
     "2025-01-14", /* the day before grades gave way to pass or fail */
     {{"A", "Loại A"}, {"B", "Loại B"}, {"C", "Loại C"}}},
    {"answer",
     "Trả lời câu hỏi",
     NULL,
     {{"pass", "Đạt"}, {"fail", "Không đạt"}, {"na", "Không áp dụng"}}},
    {"participant_side",
     "Bên tham gia",
     NULL,
     {{"team", "Đoàn kiểm tra"}, {"producer", "Cơ sở"}, {"witness", "Người chứng kiến"}}},
    {"part_role",
     "Công dụng của phần mẫu",
     NULL,
     {{"test", "Mẫu kiểm nghiệm"},
      {"reference", "Mẫu lưu tại cơ quan"},
      {"counter", "Mẫu lưu tại cơ sở"}}},
    {"attachment_role",
     "Loại tệp đính kèm",
     NULL,
     {{"photo", "Ảnh"},
      {"signature", "Chữ ký"},
      {"document", "Tài liệu"},
      {"laboratory_report", "Phiếu kết quả kiểm nghiệm"},
      {"other", "Khác"}}},
    {"environment_group",
     "Nhóm dự án về môi trường",
     NULL,
     {{"I", "Nhóm I"}, {"II", "Nhóm II"}, {"III", "Nhóm III"}, {"IV", "Nhóm IV"}}},
    {"environment_instrument",
     "Thủ tục môi trường",
     NULL,
     {{"permit", "Giấy phép môi trường"},
      {"registration", "Đăng ký môi trường"},
      {"plan", "Kế hoạch bảo vệ môi trường (cũ)"},
      {"exempt", "Được miễn"}}},
    {"discharge_column",
     "Cột giá trị xả thải",
     NULL,
     {{"A", "Cột A"}, {"B", "Cột B"}, {"C", "Cột C"}}},
    {"medium",
     "Thành phần môi trường",
     NULL,
     {{"wastewater", "Nước thải"}, {"noise", "Tiếng ồn"}, {"air", "Khí thải"}}},
    {"qualifier",
     "Dấu của kết quả đo",
     NULL,
     {{"eq", "Bằng"},
      {"lt", "Nhỏ hơn"},
      {"gt", "Lớn hơn"},
      {"nd", "Không phát hiện"},
      {"lod", "Dưới giới hạn phát hiện"},
      {"loq", "Dưới giới hạn định lượng"}}},
    {"replica_type",
     "Loại bản sao",
     NULL,
     {{"registry", "Sổ đăng ký"},
      {"import", "Nhập dữ liệu"},
      {"review", "Phiên xử lý"},
      {"device", "Thiết bị"}}},
    {"replica_state",
     "Trạng thái bản sao",
     NULL,
     {{"active", "Đang dùng"},
      {"suspended", "Tạm dừng"},
      {"revoked", "Đã thu hồi"},
      {"wipe", "Phải xoá sau khi gửi hết"},
      {"wipe_now", "Phải xoá ngay"},
      {"wiped", "Đã xoá"}}}};

struct question {
    const char *code, *section, *text, *severity;
};

struct sheet {
    const char *code, *title, *applies_to, *from;
    struct question asks[QUESTIONS_MAX + 1];
};

static const struct sheet sheets[] = {
    {"inspection",
     "Kiểm tra cơ sở sản xuất",
     "inspection",
     "2026-07-21",
     {{"PL.1", "PL", "Giấy tờ pháp lý của cơ sở còn hiệu lực", "major"},
      {"DT.1", "DT", "Nhà xưởng được bố trí sạch, tránh nhiễm chéo", "major"},
      {"TB.1", "TB", "Thiết bị, dụng cụ sạch và còn dùng tốt", "minor"},
      {"NC.1", "NC", "Nước dùng cho sản xuất bảo đảm an toàn", "serious"},
      {"CT.1", "CT", "Chất thải được thu gom và để riêng", "minor"},
      {"NL.1", "NL", "Nguyên liệu có nguồn gốc rõ ràng", "serious"},
      {"TX.1", "TX", "Truy được lô hàng một bước trước, một bước sau", "major"},
      {"CK.1", "CK", "Cơ sở thực hiện đúng điều đã cam kết", "major"},
      {"NH.1", "NH", "Nhãn đủ nội dung và đúng với sản phẩm", "major"},
      {"CB.1", "CB", "Sản phẩm đúng với hồ sơ công bố", "serious"},
      {"NS.1", "NS", "Người sản xuất đủ sức khỏe và được tập huấn", "major"},
      {"BQ.1", "BQ", "Sản phẩm được bảo quản đúng điều kiện", "major"}}},
    {"environmental_check",
     "Kiểm tra bảo vệ môi trường",
     "environmental_check",
     "2026-07-21",
     {{"HS.1", "HS", "Có thủ tục môi trường phù hợp với quy mô", "serious"},
      {"HS.2", "HS", "Hoạt động đúng với nội dung của thủ tục", "major"},
      {"NT.1", "NT", "Nước thải được thu gom và xử lý trước khi xả", "serious"},
      {"NT.2", "NT", "Điểm xả đúng vị trí đã khai", "major"},
      {"KT.1", "KT", "Khói, bụi, mùi được xử lý", "major"},
      {"TO.1", "TO", "Tiếng ồn không ảnh hưởng đến xung quanh", "minor"},
      {"CR.1", "CR", "Chất thải rắn được phân loại và chuyển giao", "major"},
      {"NH.1", "NH", "Chất thải nguy hại được lưu giữ riêng, có chứng từ", "serious"}}},
    {"mark_use",
     "Kiểm tra sử dụng nhãn hiệu OCOP",
     "inspection",
     "2026-07-21",
     {{"GC.1", "GC", "Giấy chứng nhận còn hiệu lực", "serious"},
      {"GC.2", "GC", "Sản phẩm đúng với sản phẩm được chứng nhận", "serious"},
      {"DH.1", "DH", "Nhãn hiệu thể hiện đúng mẫu", "major"},
      {"DH.2", "DH", "Số sao đúng với quyết định công nhận", "serious"},
      {"DH.3", "DH", "Không gắn nhãn hiệu lên sản phẩm khác", "serious"},
      {"TT.1", "TT", "Thông tin trên bao bì đúng sự thật", "major"},
      {"QC.1", "QC", "Quảng cáo đúng với hạng sao và công dụng", "major"},
      {"TC.1", "TC", "Các tiêu chí khi đánh giá vẫn được duy trì", "major"}}}};

enum { LIST_COUNT = sizeof lists / sizeof *lists, SHEET_COUNT = sizeof sheets / sizeof *sheets };

_Static_assert(LIST_COUNT + SHEET_COUNT <= SET_CHANGES_MAX, "all first records fit one set");

/* A record being composed. */
struct draft {
    struct arena *a;
    struct field *v;
    size_t count;
};

static enum ocop_status draft_begin(struct draft *d, struct arena *a, int64_t now,
                                    struct ocop_error *err)
{
    enum { SCALARS_MAX = 8, ELEMENTS_MAX = QUESTIONS_MAX };
    *d = (struct draft){.a = a, .v = arena_calloc(a, SCALARS_MAX + ELEMENTS_MAX, sizeof *d->v)};
    if (!d->v)
        return err_nomem(err);
    d->v[d->count++] =
        (struct field){.number = FIELD_RECORDED_MS, .op = FIELD_SET, .type = VALUE_INT, .i = now};
    return OCOP_OK;
}

static void put_text(struct draft *d, uint32_t number, const char *text)
{
    d->v[d->count++] = (struct field){
        .number = number, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = span_str(text)};
}

static void pack_text(struct buf *b, uint32_t number, const char *text)
{
    if (!text)
        return;
    buf_varint(b, number << 3 | 2);
    buf_varint(b, strlen(text));
    buf_str(b, text);
}

static void pack_int(struct buf *b, uint32_t number, uint64_t i)
{
    buf_varint(b, number << 3);
    buf_varint(b, i);
}

/* Takes what was packed as an element of list `number`; `key` is its field 1. */
static enum ocop_status put_element(struct draft *d, uint32_t number, const char *key,
                                    const struct buf *packed, struct ocop_error *err)
{
    char *copy = packed->failed ? NULL : arena_dup(d->a, packed->p, packed->len);
    if (!copy)
        return err_nomem(err);
    d->v[d->count++] = (struct field){.number = number,
                                      .op = FIELD_SET,
                                      .type = VALUE_ELEMENT,
                                      .key = span_str(key),
                                      .bytes = span_of(copy, packed->len)};
    return OCOP_OK;
}

static struct change change_of(struct registry *r, struct draft *d, uint32_t kind, int64_t now)
{
    struct fields f = {d->v, d->count};
    CHECK(fields_sort(&f)); /* a code that stands twice in a table above */
    return (struct change){.kind = kind,
                           .verb = VERB_CREATE,
                           .record = id_next(&r->ids, r->env),
                           .device_time_ms = now,
                           .fields = f};
}

/* Codes with days of effect of their own. */
static const struct effect {
    const char *list, *code, *from, *to; /* NULL: open */
} effects[] = {
    {"unit_level", "district", NULL, "2025-06-30"}, /* the level was abolished */
    {"discharge_column", "C", "2025-09-01", NULL},  /* came with QCVN 40:2025 */
};

static struct effect effect_of(const struct list *list, const struct code *code)
{
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++)
        if (strcmp(effects[i].list, list->code) == 0 && strcmp(effects[i].code, code->code) == 0)
            return effects[i];
    return (struct effect){list->code, code->code, NULL, list->to};
}

static enum ocop_status put_code(struct draft *d, const struct list *list, const struct code *code,
                                 struct ocop_error *err)
{
    struct buf b;
    buf_init(&b, ELEMENT_BYTES_MAX);
    pack_text(&b, ITEM_CODE, code->code);
    pack_text(&b, ITEM_TITLE, code->title);
    struct effect effect = effect_of(list, code);
    pack_text(&b, ITEM_FROM, effect.from);
    pack_text(&b, ITEM_TO, effect.to);
    enum ocop_status st = put_element(d, LIST_ITEMS, code->code, &b, err);
    buf_fini(&b);
    return st;
}

static enum ocop_status list_change(struct registry *r, const struct list *list, int64_t now,
                                    struct arena *a, struct change *out, struct ocop_error *err)
{
    struct draft d;
    enum ocop_status st = draft_begin(&d, a, now, err);
    if (st != OCOP_OK)
        return st;
    put_text(&d, LIST_CODE, list->code);
    put_text(&d, LIST_TITLE, list->title);
    for (const struct code *c = list->codes; st == OCOP_OK && c->code; c++)
        st = put_code(&d, list, c, err);
    if (st == OCOP_OK)
        *out = change_of(r, &d, KIND_CODE_LIST, now);
    return st;
}

static enum ocop_status put_question(struct draft *d, const struct question *q, uint64_t position,
                                     struct ocop_error *err)
{
    struct buf b;
    buf_init(&b, ELEMENT_BYTES_MAX);
    pack_text(&b, ASK_CODE, q->code);
    pack_int(&b, ASK_POSITION, position);
    pack_text(&b, ASK_SECTION, q->section);
    pack_text(&b, ASK_TEXT, q->text);
    pack_text(&b, ASK_SEVERITY, q->severity);
    enum ocop_status st = put_element(d, SHEET_ASKS, q->code, &b, err);
    buf_fini(&b);
    return st;
}

static enum ocop_status sheet_change(struct registry *r, const struct sheet *sheet, int64_t now,
                                     struct arena *a, struct change *out, struct ocop_error *err)
{
    struct draft d;
    enum ocop_status st = draft_begin(&d, a, now, err);
    if (st != OCOP_OK)
        return st;
    put_text(&d, SHEET_CODE, sheet->code);
    put_text(&d, SHEET_TITLE, sheet->title);
    put_text(&d, SHEET_APPLIES_TO, sheet->applies_to);
    put_text(&d, SHEET_FROM, sheet->from);
    for (size_t i = 0; st == OCOP_OK && sheet->asks[i].code; i++)
        st = put_question(&d, &sheet->asks[i], i + 1, err);
    if (st == OCOP_OK)
        *out = change_of(r, &d, KIND_CHECKLIST, now);
    return st;
}

enum ocop_status initial_changes(struct registry *r, struct arena *a, struct changes *out,
                                 struct ocop_error *err)
{
    int64_t now = env_now_ms(r->env);
    enum ocop_status st = OCOP_OK;
    struct change *v = arena_calloc(a, LIST_COUNT + SHEET_COUNT, sizeof *v);
    size_t count = 0;
    *out = (struct changes){NULL, 0};
    if (!v)
        return err_nomem(err);
    /* lists first: the questions of the checklists hold codes of them */
    for (size_t i = 0; st == OCOP_OK && i < LIST_COUNT; i++)
        st = list_change(r, &lists[i], now, a, &v[count++], err);
    for (size_t i = 0; st == OCOP_OK && i < SHEET_COUNT; i++)
        st = sheet_change(r, &sheets[i], now, a, &v[count++], err);
    if (st == OCOP_OK)
        *out = (struct changes){v, count};
    return st;
}
