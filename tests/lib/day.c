/* See day.h. What is drawn comes from a fixed seed. Knows no line and no registry. */
#include "test.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "day.h"
#include "ocop.h"
#include "records.pb-c.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

enum { ANSWERS = 20, FINDINGS = 3, PARTS = 3, LISTS_BYTES = 64 * 1024 };

static const char *const findings[][2] = {
    {"Nhãn sản phẩm chưa ghi ngày sản xuất", "Bổ sung ngày sản xuất trên nhãn"},
    {"Nhãn thiếu địa chỉ cơ sở sản xuất", "In lại nhãn đủ địa chỉ"},
    {"Nhãn chưa ghi thành phần định lượng", "Ghi thành phần theo thứ tự khối lượng"},
    {"Chưa có sổ theo dõi nguyên liệu đầu vào", "Lập sổ nhập nguyên liệu"},
    {"Sổ theo dõi sản xuất ghi không đủ", "Ghi sổ theo từng mẻ"},
    {"Hóa đơn nguyên liệu chưa lưu đủ", "Lưu hóa đơn ít nhất hai năm"},
    {"Khu sơ chế chưa tách khu đóng gói", "Ngăn riêng khu đóng gói"},
    {"Sàn khu chế biến đọng nước", "Sửa sàn, làm rãnh thoát nước"},
    {"Tường khu rửa bị mốc", "Cạo, sơn lại tường chống mốc"},
    {"Thiếu lưới chắn côn trùng ở cửa sổ", "Lắp lưới chắn côn trùng"},
    {"Thùng rác không có nắp đậy", "Thay thùng rác có nắp đạp chân"},
    {"Người trực tiếp sản xuất chưa khám sức khỏe", "Khám sức khỏe định kỳ cho công nhân"},
    {"Chưa có giấy xác nhận kiến thức an toàn thực phẩm", "Tập huấn và nộp giấy xác nhận"},
    {"Công nhân không đội mũ, đeo khẩu trang", "Trang bị bảo hộ đầy đủ"},
    {"Kho thành phẩm để lẫn hóa chất tẩy rửa", "Chuyển hóa chất sang kho riêng"},
    {"Nguyên liệu để sát tường và nền kho", "Kê hàng cách tường và nền"},
    {"Tủ bảo quản không có nhiệt kế", "Lắp nhiệt kế và ghi nhiệt độ hằng ngày"},
    {"Phiếu kiểm nghiệm đã quá mười hai tháng", "Gửi mẫu kiểm nghiệm lại"},
    {"Nước sản xuất chưa được xét nghiệm", "Xét nghiệm nước và nộp kết quả"},
    {"Mã QR trên bao bì không truy cập được", "Sửa mã QR, cập nhật thông tin"},
    {"Logo hạng sao in sai mẫu quy định", "Thu hồi bao bì in sai mẫu"},
    {"Bao bì cũ vẫn dùng hạng sao đã hết hạn", "Ngừng dùng bao bì cũ"},
    {"Dụng cụ tiếp xúc thực phẩm bị rỉ sét", "Thay dụng cụ bằng inox"},
    {"Chưa vệ sinh dụng cụ sau mỗi ca", "Lập lịch vệ sinh dụng cụ"},
};
static const char *const notes[] = {
    "Cơ sở sản xuất ổn định, sản phẩm tiêu thụ trong huyện",
    "Đoàn đã kiểm tra hồ sơ và khu vực chế biến",
    "Chủ cơ sở hợp tác, cung cấp đủ hồ sơ",
    "Cơ sở mới sửa lại nhà xưởng",
    "Sản phẩm còn lại trong kho đã được kiểm đếm",
    "Đề nghị xã theo dõi việc khắc phục",
    "Cơ sở đang làm thủ tục nâng hạng sao",
    "Hẹn kiểm tra lại sau khi khắc phục",
    "Sản lượng giảm do thiếu nguyên liệu",
    "Đã nhắc nhở chủ cơ sở về ghi nhãn",
    "Khu vực xung quanh sạch, không có nguồn ô nhiễm",
    "Cơ sở bán hàng qua mạng và tại chợ phiên",
};
static const char *const opinions[] = {
    "Nhất trí với nội dung biên bản",  "Cơ sở sẽ khắc phục đúng hạn",
    "Đề nghị được hỗ trợ in nhãn mới", "Nhất trí, không có ý kiến khác",
    "Xin gia hạn thời gian khắc phục",
};
static const char *const remarks[] = {"Đang làm thủ tục", "Có sổ nhưng ghi chưa đủ",
                                      "Không áp dụng với cơ sở", "Đã nhắc lần trước"};
static const char *const places[] = {"Kho thành phẩm của cơ sở", "Quầy bán hàng tại cơ sở",
                                     "Khu đóng gói", "Cửa hàng giới thiệu sản phẩm"};
static const char *const families[] = {"Nguyễn", "Trần", "Lê",  "Phạm", "Hoàng",
                                       "Vũ",     "Đặng", "Bùi", "Đỗ",   "Nông"};
static const char *const middles[] = {"Văn", "Thị", "Đức", "Minh", "Thanh", "Xuân"};
static const char *const givens[] = {"An",   "Bình", "Chi",  "Dũng", "Giang", "Hà",
                                     "Hùng", "Lan",  "Long", "Mai",  "Nga",   "Phúc",
                                     "Quân", "Sơn",  "Thảo", "Tuấn", "Vân",   "Yến"};

/* One day in the making. */
struct day {
    struct ocop_store *store;
    struct ocop_id producer, product;
    uint64_t state;
    char text[LISTS_BYTES]; /* what the record under way points to */
    size_t used;
    struct ocop_id keys[FINDINGS + FINDINGS];
};

static uint32_t draw(struct day *d, size_t n)
{
    uint64_t z = (d->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) % n);
}

#define PICK(d, list) (list)[draw(d, COUNT(list))]

static char *keep(struct day *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

static char *keep(struct day *d, const char *format, ...)
{
    va_list args;
    char *at = d->text + d->used;
    va_start(args, format);
    int len = vsnprintf(at, sizeof d->text - d->used, format, args);
    va_end(args);
    assert_true(len >= 0 && (size_t)len < sizeof d->text - d->used);
    d->used += (size_t)len + 1;
    return at;
}

static ProtobufCBinaryData id_bytes(struct ocop_id *id)
{
    return (ProtobufCBinaryData){sizeof id->b, id->b};
}

static void where(struct day *d, int32_t *lat_e6, int32_t *lon_e6)
{
    *lat_e6 = 22300000 + (int32_t)draw(d, 40000);
    *lon_e6 = 105800000 + (int32_t)draw(d, 40000);
}

static char *person(struct day *d)
{
    const char *family = PICK(d, families), *middle = PICK(d, middles);
    return keep(d, "%s %s %s", family, middle, PICK(d, givens));
}

static void inspection(struct day *d)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m;
    must(ocop_new(d->store, "inspection", &m, &err), &err);
    Ocop__Inspection r = *(Ocop__Inspection *)m;
    Ocop__Answer answer[ANSWERS], *answers[ANSWERS];
    Ocop__Finding finding[FINDINGS], *of_findings[FINDINGS];
    Ocop__Participant person_of[FINDINGS], *people[FINDINGS];
    uint32_t luck = draw(d, 100);
    d->used = 0;
    r.has_producer_id = r.has_product_id = r.has_lat_e6 = r.has_lon_e6 = r.has_score = 1;
    r.producer_id = id_bytes(&d->producer);
    r.product_id = id_bytes(&d->product);
    r.inspection_type = keep(d, "planned");
    r.conclusion = keep(d, "%s", luck < 80 ? "pass" : luck < 93 ? "conditional" : "fail");
    r.score = (int32_t)(luck < 80 ? 80 + draw(d, 21) : 45 + draw(d, 35));
    r.lot_code = keep(d, "L2611%02u", draw(d, 28) + 1);
    where(d, &r.lat_e6, &r.lon_e6);
    for (size_t i = 0; i < ANSWERS; i++) {
        static const char *const sections[] = {"NC", "TB", "VS"};
        answers[i] = &answer[i];
        ocop__answer__init(&answer[i]);
        luck = draw(d, 100);
        answer[i].question = keep(d, "%s.%zu", sections[i / 8], i % 8 + 1);
        answer[i].answer = keep(d, "%s", luck < 6 ? "fail" : luck < 8 ? "na" : "pass");
        if (draw(d, 100) < 4)
            answer[i].remark = keep(d, "%s", PICK(d, remarks));
    }
    for (size_t i = 0; i < FINDINGS; i++) {
        const char *const *what = findings[draw(d, COUNT(findings))];
        of_findings[i] = &finding[i];
        ocop__finding__init(&finding[i]);
        d->keys[i] = ocop_new_key(d->store);
        finding[i].has_key = 1;
        finding[i].key = id_bytes(&d->keys[i]);
        finding[i].description =
            draw(d, 3) ? keep(d, "%s", what[0]) : keep(d, "%s, lô %02u", what[0], draw(d, 40) + 1);
        finding[i].remedy = keep(d, "%s", what[1]);
        finding[i].severity = keep(d, "%s", draw(d, 3) ? "minor" : "major");
        finding[i].deadline_date = keep(d, "%s", draw(d, 3) ? "2027-06-30" : "2027-03-31");
    }
    for (size_t i = 0; i < FINDINGS; i++) {
        static const char *const team[] = {"Nguyễn Văn An", "Trần Thị Bình"};
        people[i] = &person_of[i];
        ocop__participant__init(&person_of[i]);
        d->keys[FINDINGS + i] = ocop_new_key(d->store);
        person_of[i].has_key = 1;
        person_of[i].key = id_bytes(&d->keys[FINDINGS + i]);
        person_of[i].name = i < 2 ? keep(d, "%s", team[i]) : person(d);
        person_of[i].title = keep(d, "%s", i < 2 ? "Cán bộ kiểm tra" : "Chủ cơ sở");
        person_of[i].side = keep(d, "%s", i < 2 ? "team" : "producer");
    }
    r.n_answers = ANSWERS, r.answers = answers;
    r.n_findings = FINDINGS, r.findings = of_findings;
    r.n_participants = FINDINGS, r.participants = people;
    r.producer_opinion = keep(d, "%s", PICK(d, opinions));
    const char *first = PICK(d, notes);
    const char *second = PICK(d, notes);
    r.notes = keep(d, "%s. %s. Làm việc với %s, %u nhân công.", first, second, person(d),
                   draw(d, 12) + 2);
    must(ocop_submit(d->store, &r.base, &err), &err);
    ocop_free(m);
}

static void sample(struct day *d)
{
    static const char *const roles[] = {"test", "reference", "counter"};
    struct ocop_error err = {0};
    ProtobufCMessage *m;
    must(ocop_new(d->store, "sample", &m, &err), &err);
    Ocop__Sample r = *(Ocop__Sample *)m;
    Ocop__SamplePart part[PARTS], *parts[PARTS];
    d->used = 0;
    r.has_producer_id = r.has_product_id = r.has_lat_e6 = r.has_lon_e6 = 1;
    r.producer_id = id_bytes(&d->producer);
    r.product_id = id_bytes(&d->product);
    r.quantity = keep(d, "1.5");
    r.quantity_unit = keep(d, "kg");
    r.lot_code = keep(d, "L2611%02u", draw(d, 28) + 1);
    r.place = keep(d, "%s", PICK(d, places));
    where(d, &r.lat_e6, &r.lon_e6);
    for (size_t i = 0; i < PARTS; i++) {
        parts[i] = &part[i];
        ocop__sample_part__init(&part[i]);
        d->keys[i] = ocop_new_key(d->store);
        part[i].has_key = 1;
        part[i].key = id_bytes(&d->keys[i]);
        part[i].role = keep(d, "%s", roles[i]);
        part[i].seal_no = keep(d, "NP%06u", draw(d, 1000000));
        part[i].quantity = keep(d, "0.5");
        part[i].quantity_unit = keep(d, "kg");
    }
    r.n_parts = PARTS, r.parts = parts;
    must(ocop_submit(d->store, &r.base, &err), &err);
    ocop_free(m);
}

void day_record(const char *path, const char *producer, const char *product)
{
    static struct day d;
    struct ocop_error err = {0};
    int inspections = 0, samples = 0;
    d = (struct day){.state = 2611};
    assert_true(ocop_id_parse(producer, &d.producer) && ocop_id_parse(product, &d.product));
    for (int opening = 1; opening <= DAY_OPENINGS; opening++) {
        must(ocop_open(path, NULL, &d.store, &err), &err);
        for (; inspections < DAY_INSPECTIONS * opening / DAY_OPENINGS; inspections++)
            inspection(&d);
        for (; samples < DAY_SAMPLES * opening / DAY_OPENINGS; samples++)
            sample(&d);
        ocop_close(d.store);
    }
}
