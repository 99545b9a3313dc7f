/* The columns of imported files and the forms of their cells. Knows no registry. */
#include "import_columns.h"

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "text.h"

/* Taken where the unit's code is not given. */
#define UNIT_NAMES "tên xã|xã|phường|xã phường|tên phường xã|commune"

static const struct import_column unit_columns[] = {
    {10, CELL_TEXT, true, "code", "mã|mã đơn vị|mã số"},
    {11, CELL_TEXT, true, "name", "tên|tên đơn vị"},
    {12, CELL_CODE, true, "level", "cấp"},
    {13, CELL_KEY, false, "parent_code", "mã cấp trên|mã đơn vị cấp trên"},
};
static const struct import_column officer_columns[] = {
    {10, CELL_TEXT, true, "name", "họ tên|họ và tên|tên cán bộ|tên"},
    {11, CELL_TEXT, false, "agency", "cơ quan|đơn vị công tác"},
    {12, CELL_TEXT, false, "title", "chức vụ|chức danh"},
    {13, CELL_TEXT, false, "phone", "điện thoại|số điện thoại|sđt"},
    {14, CELL_TEXT, false, "email", "thư điện tử|e-mail"},
    {15, CELL_ROLES, false, "roles", "role|vai trò"},
    {FIELD_UNIT, CELL_UNIT, false, "unit_code", "mã xã|mã đơn vị"},
    {FIELD_UNIT, CELL_UNIT, false, "unit_name", UNIT_NAMES},
    {0, CELL_IGNORED, false, "no", "stt|số thứ tự"},
};
static const struct import_column producer_columns[] = {
    {10, CELL_TEXT, true, "name", "tên chủ thể|chủ thể|tên"},
    {11, CELL_CODE, true, "type", "loại hình|loại hình tổ chức|producer_type"},
    {FIELD_UNIT, CELL_UNIT, true, "unit_code", "mã xã|mã đơn vị|unit"},
    {12, CELL_TEXT, false, "tax_code", "mã số thuế|mst"},
    {13, CELL_TEXT, false, "representative", "người đại diện|đại diện"},
    {14, CELL_TEXT, false, "representative_title", "chức vụ|chức vụ người đại diện"},
    {15, CELL_TEXT, false, "address", "địa chỉ"},
    {16, CELL_TEXT, false, "phone", "điện thoại|số điện thoại|sđt"},
    {17, CELL_TEXT, false, "email", "thư điện tử|e-mail"},
    {18, CELL_TEXT, false, "registration_no", "số đkkd|đkkd|số đăng ký kinh doanh"},
    {19, CELL_DATE, false, "registration_date", "ngày đkkd|ngày cấp đkkd"},
    {20, CELL_DEGREES, false, "lat", "vĩ độ|latitude"},
    {21, CELL_DEGREES, false, "lon", "kinh độ|longitude"},
    {22, CELL_NOTE, false, "notes", "ghi chú"},
    {FIELD_UNIT, CELL_UNIT, false, "unit_name", UNIT_NAMES},
    {0, CELL_IGNORED, false, "no", "stt|số thứ tự"},
};
static const struct import_column product_columns[] = {
    {10, CELL_TEXT, true, "name", "tên sản phẩm|sản phẩm|tên"},
    {11, CELL_PRODUCER, true, "producer", "chủ thể|tên chủ thể|mã số thuế|mst|mã số thuế chủ thể"},
    {FIELD_UNIT, CELL_UNIT, false, "unit_code", "mã xã|mã đơn vị|unit"},
    {12, CELL_TEXT, false, "code", "mã sản phẩm|product_code"},
    {13, CELL_INT, false, "criteria_set", "bộ tiêu chí|bộ sản phẩm"},
    {14, CELL_STARS, false, "stars", "hạng sao|hạng|số sao|sao"},
    {15, CELL_INT, false, "year", "năm|năm công nhận|rated_year"},
    {16, CELL_TEXT, false, "packaging", "quy cách|quy cách đóng gói|bao bì"},
    {17, CELL_TEXT, false, "standard", "tiêu chuẩn"},
    {18, CELL_TEXT, false, "declaration_no", "số tự công bố|số công bố|số bản công bố"},
    {19, CELL_TEXT, false, "barcode", "mã vạch|mã số mã vạch"},
    {20, CELL_NOTE, false, "ingredients", "thành phần"},
    {21, CELL_NOTE, false, "notes", "ghi chú"},
    {FIELD_UNIT, CELL_UNIT, false, "unit_name", UNIT_NAMES},
    {0, CELL_IGNORED, false, "no", "stt|số thứ tự"},
};
static const struct import_column certificate_columns[] = {
    {10, CELL_TEXT, true, "certificate_no", "số giấy chứng nhận|số gcn|số chứng nhận"},
    {11, CELL_PRODUCT, true, "product", "sản phẩm|mã sản phẩm|tên sản phẩm|product_code"},
    {12, CELL_PRODUCER, false, "producer", "chủ thể|tên chủ thể|mã số thuế|mst"},
    {13, CELL_STARS, true, "stars", "hạng sao|hạng|số sao|sao"},
    {14, CELL_TEXT, true, "decision_no", "số quyết định"},
    {15, CELL_DATE, true, "decision_date", "ngày quyết định|ngày ký quyết định"},
    {16, CELL_TEXT, false, "issuer", "cơ quan cấp|cơ quan ban hành"},
    {17, CELL_DATE, false, "issue_date", "ngày cấp"},
    {18, CELL_DATE, false, "expiry_date", "ngày hết hạn|hiệu lực đến"},
    {19, CELL_DATE, false, "extended_to", "gia hạn đến|extended_to_date"},
    {20, CELL_DATE, false, "revoked_date", "ngày thu hồi"},
    {21, CELL_CODE, false, "revocation_ground", "lý do thu hồi|căn cứ thu hồi"},
    {22, CELL_TEXT, false, "revocation_decision_no", "số quyết định thu hồi"},
    {FIELD_UNIT, CELL_UNIT, false, "unit_code", "mã xã|mã đơn vị|unit"},
    {FIELD_UNIT, CELL_UNIT, false, "unit_name", UNIT_NAMES},
    {0, CELL_IGNORED, false, "no", "stt|số thứ tự"},
};
/* Positions are import.c's: MAP_OLD and so on. */
static const struct import_column mapping_columns[] = {
    {0, CELL_KEY, true, "old_commune_code", "mã xã cũ"},
    {0, CELL_KEY, true, "new_commune_code", "mã xã mới"},
    {0, CELL_KEY, true, "whole_or_split", "toàn bộ hay một phần|extent"},
    {0, CELL_KEY, false, "old_district_code", "mã huyện cũ"},
    {0, CELL_KEY, false, "old_province_code", "mã tỉnh cũ"},
    {0, CELL_KEY, false, "old_commune_name", "tên xã cũ"},
    {0, CELL_KEY, false, "new_commune_name", "tên xã mới"},
    {0, CELL_IGNORED, false, "new_province_code", "mã tỉnh mới"},
    {0, CELL_IGNORED, false, "found_in", "nguồn"},
};

#define FORM(name, kind, columns)                                                                  \
    {                                                                                              \
        name, kind, columns, sizeof(columns) / sizeof *(columns)                                   \
    }
const struct import_form import_forms[IMPORT_COUNT] = {
    [IMPORT_UNITS] = FORM("units", KIND_UNIT, unit_columns),
    [IMPORT_OFFICERS] = FORM("officers", KIND_OFFICER, officer_columns),
    [IMPORT_PRODUCERS] = FORM("producers", KIND_PRODUCER, producer_columns),
    [IMPORT_PRODUCTS] = FORM("products", KIND_PRODUCT, product_columns),
    [IMPORT_CERTIFICATES] = FORM("certificates", KIND_CERTIFICATE, certificate_columns),
    [IMPORT_MAPPING] = FORM("mapping", 0, mapping_columns),
};

enum import_what import_by_name(const char *name)
{
    for (int i = 0; i < IMPORT_MAPPING; i++)
        if (strcmp(name, import_forms[i].name) == 0)
            return (enum import_what)i;
    return IMPORT_COUNT;
}

/* "Tên chủ thể (*)" -> "ten chu the", "tax_code" -> "tax code": what headers are compared by. */
static void header_key(struct buf *out, struct span text)
{
    struct buf folded;
    bool space = false;

    buf_init(&folded, KIB(128));
    text_fold(&folded, text);
    for (size_t i = 0; i < folded.len && folded.p[i] != '('; i++) {
        const uint8_t c = folded.p[i];
        if (c < 0x80 && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) {
            space = out->len > 0;
            continue;
        }
        if (space)
            buf_byte(out, ' ');
        space = false;
        buf_byte(out, c);
    }
    if (folded.failed)
        out->failed = true;
    buf_fini(&folded);
}

static bool header_is(struct span key, struct span name)
{
    struct buf other;

    buf_init(&other, KIB(4));
    header_key(&other, name);
    const bool same = !other.failed && span_eq(key, buf_span(&other));
    buf_fini(&other);
    return same;
}

static size_t find_column(const struct import_form *form, struct span header)
{
    struct buf key;
    size_t found = IMPORT_NO_COLUMN;

    buf_init(&key, KIB(128));
    header_key(&key, header);
    for (size_t i = 0; i < form->count && found == IMPORT_NO_COLUMN && !key.failed; i++) {
        if (header_is(buf_span(&key), span_str(form->columns[i].name)))
            found = i;
        const char *at = form->columns[i].aliases;
        while (*at && found == IMPORT_NO_COLUMN) {
            const size_t len = strcspn(at, "|");
            if (header_is(buf_span(&key), span_of(at, len)))
                found = i;
            at += len + (at[len] == '|');
        }
    }
    buf_fini(&key);
    return found;
}

/* Is the field of this column given by another one? */
static bool seen_elsewhere(const struct import_form *form, const bool *seen, size_t column)
{
    const uint32_t number = form->columns[column].number;

    for (size_t c = 0; number && c < form->count; c++)
        if (seen[c] && form->columns[c].number == number)
            return true;
    return false;
}

enum ocop_status import_header(const struct import_form *form, const struct csvfile_row *header,
                               bool ignore_unknown, uint8_t map[CSVFILE_COLUMNS_MAX],
                               struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    struct buf unknown, missing;
    bool seen[IMPORT_NO_COLUMN] = {false};

    buf_init(&unknown, KIB(256));
    buf_init(&missing, KIB(4));
    memset(map, IMPORT_NO_COLUMN, CSVFILE_COLUMNS_MAX);
    for (size_t i = 0; i < header->count && st == OCOP_OK; i++) {
        const struct span h = header->cells[i];
        const size_t c = find_column(form, h);
        const bool once = c != IMPORT_NO_COLUMN && form->columns[c].form != CELL_IGNORED;
        if (c == IMPORT_NO_COLUMN && h.len > 0)
            buf_printf(&unknown, "%s\"%.*s\"", unknown.len ? ", " : "",
                       (int)(h.len > 60 ? 60 : h.len), (const char *)h.p);
        else if (once && seen[c])
            st = err_set(err, OCOP_EINVAL, "column \"%.*s\" means %s, which stands there already",
                         (int)(h.len > 60 ? 60 : h.len), (const char *)h.p, form->columns[c].name);
        if (c != IMPORT_NO_COLUMN)
            seen[c] = true;
        map[i] = (uint8_t)c;
    }
    for (size_t c = 0; c < form->count; c++)
        if (form->columns[c].required && !seen[c] && !seen_elsewhere(form, seen, c))
            buf_printf(&missing, "%s%s", missing.len ? ", " : "", form->columns[c].name);
    if (st == OCOP_OK && missing.len)
        st = err_set(err, OCOP_EINVAL, "missing columns: %s%s%.120s", buf_cstr(&missing),
                     unknown.len ? "; unknown columns: " : "", buf_cstr(&unknown));
    if (st == OCOP_OK && unknown.len && !ignore_unknown)
        st = err_set(err, OCOP_EINVAL, "unknown columns: %.200s (--ignore-columns leaves them out)",
                     buf_cstr(&unknown));
    buf_fini(&unknown);
    buf_fini(&missing);
    return st;
}

/* Bytes of a blank at `p` that people cannot see: space, tab, line breaks, U+00A0, U+200B, U+FEFF,
 * U+3000; 0 for anything else. */
static size_t blank_len(const uint8_t *p, size_t left)
{
    if (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        return 1;
    if (left >= 2 && p[0] == 0xc2 && p[1] == 0xa0)
        return 2;
    if (left >= 3 && (memcmp(p, "\xe2\x80\x8b", 3) == 0 || memcmp(p, "\xef\xbb\xbf", 3) == 0 ||
                      memcmp(p, "\xe3\x80\x80", 3) == 0))
        return 3;
    return 0;
}

enum ocop_status import_trim(struct span cell, bool keep_lines, struct arena *a, struct span *out,
                             struct ocop_error *err)
{
    size_t from = 0, to = 0, n;

    while (from < cell.len && (n = blank_len(cell.p + from, cell.len - from)) > 0)
        from += n;
    for (size_t i = from; i < cell.len;) {
        n = blank_len(cell.p + i, cell.len - i);
        i += n ? n : 1;
        if (!n)
            to = i;
    }
    if (to < from)
        to = from;
    char *copy = arena_dup(a, cell.p ? (const void *)(cell.p + from) : "", to - from);
    if (!copy)
        return err_nomem(err);
    for (size_t i = 0; i < to - from && !keep_lines; i++)
        if (copy[i] == '\n')
            copy[i] = ' ';
    *out = span_of(copy, to - from);
    return OCOP_OK;
}

static bool parse_int(struct span s, int64_t *out)
{
    size_t i = s.len > 0 && s.p[0] == '-';
    int64_t v = 0;

    if (i == s.len || s.len > 18)
        return false;
    for (; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = s.p[0] == '-' ? -v : v;
    return true;
}

static bool parse_stars(struct span s, int64_t *out)
{
    static const char *const marks[] = {"\xe2\x98\x85", "\xe2\xad\x90", "*"};
    struct buf folded;
    bool ok = false;

    for (size_t m = 0; m < sizeof marks / sizeof *marks; m++) {
        const size_t n = strlen(marks[m]);
        size_t i = 0;
        while (i + n <= s.len && memcmp(s.p + i, marks[m], n) == 0)
            i += n;
        if (i == s.len && i > 0) {
            *out = (int64_t)(i / n);
            return true;
        }
    }
    buf_init(&folded, KIB(128));
    text_fold(&folded, s);
    struct span f = buf_span(&folded);
    static const char *const words[] = {"sao", "stars", "star"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        const size_t n = strlen(words[w]);
        if (f.len > n && memcmp(f.p + f.len - n, words[w], n) == 0) {
            f.len -= n;
            break;
        }
    }
    while (f.len > 0 && f.p[f.len - 1] == ' ')
        f.len--;
    if (!folded.failed)
        ok = parse_int(f, out);
    buf_fini(&folded);
    return ok;
}

/* Up to six decimals, with a point or a comma; more are cut off. */
static bool parse_degrees(struct span s, int64_t *out)
{
    int64_t v = 0;
    int decimals = -1;
    size_t i = s.len > 0 && s.p[0] == '-';

    if (i == s.len || s.len > 20)
        return false;
    for (; i < s.len; i++) {
        const uint8_t c = s.p[i];
        if ((c == '.' || c == ',') && decimals < 0)
            decimals = 0;
        else if (c < '0' || c > '9')
            return false;
        else if (decimals < 6 && v < 1000000000) {
            v = v * 10 + (c - '0');
            decimals += decimals >= 0;
        }
    }
    for (decimals = decimals < 0 ? 0 : decimals; decimals < 6; decimals++)
        v *= 10;
    *out = s.p[0] == '-' ? -v : v;
    return true;
}

enum ocop_status import_cell(const struct import_column *column, struct span cell, struct arena *a,
                             struct field *out, struct ocop_error *err)
{
    const int shown = (int)(cell.len > 60 ? 60 : cell.len);
    const char *const text = (const char *)cell.p;
    char date[11];

    *out = (struct field){.number = column->number, .op = FIELD_SET, .type = VALUE_INT};
    switch (column->form) {
    case CELL_DATE:
        if (!text_parse_date(cell, date))
            return err_set(err, OCOP_EINVAL, "\"%.*s\" is not a date such as 05/8/2026", shown,
                           text);
        out->type = VALUE_BYTES;
        out->bytes = span_of(arena_dup(a, date, strlen(date)), strlen(date));
        return out->bytes.p ? OCOP_OK : err_nomem(err);
    case CELL_INT:
        if (!parse_int(cell, &out->i))
            return err_set(err, OCOP_EINVAL, "\"%.*s\" is not a whole number", shown, text);
        return OCOP_OK;
    case CELL_STARS:
        if (!parse_stars(cell, &out->i))
            return err_set(err, OCOP_EINVAL, "\"%.*s\" is not a number of stars such as 3 sao",
                           shown, text);
        return OCOP_OK;
    case CELL_DEGREES:
        if (!parse_degrees(cell, &out->i))
            return err_set(err, OCOP_EINVAL, "\"%.*s\" is not degrees such as 10.123456", shown,
                           text);
        return OCOP_OK;
    default:
        out->type = VALUE_BYTES;
        out->bytes = cell;
        return OCOP_OK;
    }
}

void import_day_before(const char *date, char *out)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = (int)strtol(date, NULL, 10), m = (int)strtol(date + 5, NULL, 10),
        d = (int)strtol(date + 8, NULL, 10);

    if (--d == 0) {
        if (--m == 0) {
            m = 12;
            y--;
        }
        d = days[m - 1] + (m == 2 && (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)));
    }
    char text[40];
    snprintf(text, sizeof text, "%04d-%02d-%02d", y, m, d);
    memcpy(out, text, 10);
    out[10] = '\0';
}
