/* QR codes for terminals. The only user of libqrencode. */
#ifndef SERVER_QR_H
#define SERVER_QR_H

#include <stdio.h>

#include "err.h"

/** Print `text` as a QR code of half blocks, dark on light whatever the terminal's colours.
 *  @return OCOP_ELIMIT when the text is too long for one */
OCOP_MUST_USE enum ocop_status qr_print(const char *text, FILE *out, struct ocop_error *err);

#endif
