/* A signature as it was written, made into a small SVG: a path for each stroke, its times beside
 * it. Of what comes in only numbers go on, so that nothing else can stand in it. Knows no SQL. */
#include <string.h>

#include "buf.h"
#include "err.h"
#include "ocop.h"
#include "record_api.h"
#include "span.h"

enum {
    SVG_BYTES_MAX = 1 << 20,
    WIDTHS = 80 /* of the pen's line, in the longer side of what is written */
};

struct frame {
    int32_t left, top, right, bottom;
};

static enum ocop_status check_point(const struct ocop_point *p, uint32_t after_ms,
                                    struct ocop_error *err)
{
    if (p->x < 0 || p->x > OCOP_STROKE_SIDE_MAX || p->y < 0 || p->y > OCOP_STROKE_SIDE_MAX)
        return err_field(err, OCOP_EINVAL, "strokes", "a point may be from 0,0 to %d,%d",
                         OCOP_STROKE_SIDE_MAX, OCOP_STROKE_SIDE_MAX);
    if (p->t_ms < after_ms || p->t_ms > OCOP_STROKES_MS_MAX)
        return err_field(
            err, OCOP_EINVAL, "strokes",
            "times are milliseconds from the first point on, in order, within an hour");
    return OCOP_OK;
}

static void widen(struct frame *f, const struct ocop_point *p)
{
    f->left = p->x < f->left ? p->x : f->left;
    f->right = p->x > f->right ? p->x : f->right;
    f->top = p->y < f->top ? p->y : f->top;
    f->bottom = p->y > f->bottom ? p->y : f->bottom;
}

static enum ocop_status check(const struct ocop_strokes *s, struct frame *f, struct ocop_error *err)
{
    size_t points = 0;
    uint32_t last_ms = 0;
    enum ocop_status st = OCOP_OK;

    *f = (struct frame){OCOP_STROKE_SIDE_MAX, OCOP_STROKE_SIDE_MAX, 0, 0};
    if (s->count == 0)
        return err_field(err, OCOP_EINVAL, "strokes", "there are none");
    for (size_t i = 0; !st && i < s->count; i++) {
        const struct ocop_stroke *stroke = &s->strokes[i];
        if (stroke->count == 0)
            return err_field(err, OCOP_EINVAL, "strokes", "one has no points");
        if (stroke->count > OCOP_STROKE_POINTS_MAX - points)
            return err_field(err, OCOP_ELIMIT, "strokes", "they have more than %d points",
                             OCOP_STROKE_POINTS_MAX);
        points += stroke->count;
        for (size_t j = 0; !st && j < stroke->count; j++) {
            st = check_point(&stroke->points[j], last_ms, err);
            last_ms = stroke->points[j].t_ms;
            widen(f, &stroke->points[j]);
        }
    }
    return st;
}

/* Each point but the first as its way from the one before; each time but the first as well. */
static void draw(const struct ocop_stroke *s, struct buf *out)
{
    const struct ocop_point *p = s->points;

    buf_printf(out, "<path d=\"M%d %d", (int)p[0].x, (int)p[0].y);
    if (s->count == 1)
        buf_str(out, "h0"); /* a dot */
    for (size_t i = 1; i < s->count; i++)
        buf_printf(out, "%c%d %d", i == 1 ? 'l' : ' ', (int)(p[i].x - p[i - 1].x),
                   (int)(p[i].y - p[i - 1].y));
    buf_printf(out, "\" data-ms=\"%u", (unsigned)p[0].t_ms);
    for (size_t i = 1; i < s->count; i++)
        buf_printf(out, " %u", (unsigned)(p[i].t_ms - p[i - 1].t_ms));
    buf_str(out, "\"/>\n");
}

static void draw_all(const struct ocop_strokes *s, const struct frame *f, struct buf *out)
{
    const int wide = f->right - f->left, high = f->bottom - f->top;
    const int pen = (wide > high ? wide : high) / WIDTHS + 1;

    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"%d %d %d %d\" fill=\"none\" "
               "stroke=\"#000\" stroke-width=\"%d\" stroke-linecap=\"round\" "
               "stroke-linejoin=\"round\">\n",
               (int)f->left - pen, (int)f->top - pen, wide + 2 * pen, high + 2 * pen, pen);
    for (size_t i = 0; i < s->count; i++)
        draw(&s->strokes[i], out);
    buf_str(out, "</svg>\n");
}

enum ocop_status ocop_attach_strokes(struct ocop_store *store, const struct ocop_id *record,
                                     const struct ocop_strokes *strokes,
                                     const struct ocop_attachment *what, struct ocop_id *out,
                                     struct ocop_error *err)
{
    struct ocop_attachment a = what ? *what : (struct ocop_attachment){.fd = -1};
    struct frame frame;
    struct buf svg;
    enum ocop_status st = check(strokes, &frame, err);

    memset(out, 0, sizeof *out);
    if (!st && a.role && strcmp(a.role, "signature") != 0)
        st = err_field(err, OCOP_EINVAL, "role", "strokes are a signature");
    if (st)
        return st;
    buf_init(&svg, SVG_BYTES_MAX);
    draw_all(strokes, &frame, &svg);
    a.path = NULL;
    a.bytes = svg.p;
    a.len = svg.len;
    a.role = "signature";
    a.media_type = "image/svg+xml";
    a.name = a.name ? a.name : "signature.svg";
    st = svg.failed ? err_nomem(err) : attach_drawn(store, record, &a, out, err);
    buf_fini(&svg);
    return st;
}
