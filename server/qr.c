/* Draws a QR code with half blocks. Knows nothing of what it says. */
#include "qr.h"

#include <qrencode.h>
#include <stdbool.h>

enum { QUIET = 2 }; /* modules of light border, counted in both directions */

static bool is_dark(const QRcode *q, int x, int y)
{
    return x >= 0 && y >= 0 && x < q->width && y < q->width && (q->data[y * q->width + x] & 1) != 0;
}

enum ocop_status qr_print(const char *text, FILE *out, struct ocop_error *err)
{
    QRcode *q = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);

    if (!q)
        return err_set(err, OCOP_ELIMIT, "the code is too long for a QR code; use --no-qr");
    for (int y = -QUIET; y < q->width + QUIET; y += 2) {
        fputs("\x1b[30;107m", out); /* black on white: readers need it, most terminals are dark */
        for (int x = -QUIET; x < q->width + QUIET; x++) {
            const bool upper = is_dark(q, x, y), lower = is_dark(q, x, y + 1);
            fputs(upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ", out);
        }
        fputs("\x1b[0m\n", out);
    }
    QRcode_free(q);
    return OCOP_OK;
}
