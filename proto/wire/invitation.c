/* Invitations as text: base32 with a checksum over a small protobuf message, written by hand since
 * this layer knows no generated code. Knows no database and not who invites whom. */
#include "invitation.h"

#include <sodium.h>

enum { CHECKSUM_LEN = 4, GROUP = 5, RAW_MAX = 1024 };

static const char context[] = "ocop channel";

/* The bytes that are signed: context, key and number, without a length between as all are fixed. */
enum { SIGNED_MAX = sizeof context - 1 + CHANNEL_KEY_LEN + 8 };

static size_t signed_bytes(const uint8_t *channel_key, uint64_t number, uint8_t out[SIGNED_MAX])
{
    size_t len = sizeof context - 1 + CHANNEL_KEY_LEN;

    memcpy(out, context, sizeof context - 1);
    memcpy(out + sizeof context - 1, channel_key, CHANNEL_KEY_LEN);
    for (int i = 0; number > 0 && i < 8; i++)
        out[len++] = (uint8_t)(number >> (56 - 8 * i));
    return len;
}

void invitation_sign(const uint8_t root_secret[INVITATION_SECRET_LEN],
                     const uint8_t channel_key[CHANNEL_KEY_LEN], uint64_t number,
                     uint8_t signature[INVITATION_SIGNATURE_LEN])
{
    uint8_t bytes[SIGNED_MAX];

    crypto_sign_detached(signature, NULL, bytes, signed_bytes(channel_key, number, bytes),
                         root_secret);
}

bool invitation_signed(const uint8_t root_key[INVITATION_ROOT_LEN],
                       const uint8_t channel_key[CHANNEL_KEY_LEN], uint64_t number,
                       const uint8_t signature[INVITATION_SIGNATURE_LEN])
{
    uint8_t bytes[SIGNED_MAX];

    return crypto_sign_verify_detached(signature, bytes, signed_bytes(channel_key, number, bytes),
                                       root_key) == 0;
}

static void checksum(struct span s, uint8_t out[CHECKSUM_LEN])
{
    uint8_t hash[32];

    crypto_generichash(hash, sizeof hash, s.p, s.len, NULL, 0);
    memcpy(out, hash, CHECKSUM_LEN);
}

static void put_bytes(struct buf *b, unsigned number, const void *p, size_t len)
{
    buf_varint(b, number << 3 | 2);
    buf_varint(b, len);
    buf_put(b, p, len);
}

static void put_base32(struct buf *out, struct span in)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint32_t bits = 0;
    unsigned have = 0;
    size_t count = (in.len * 8 + 4) / 5, at = 0;

    for (size_t i = 0; i < count; i++) {
        if (have < 5) { /* behind the end: zeros */
            bits = bits << 8 | (at < in.len ? in.p[at] : 0);
            have += 8;
            at++;
        }
        have -= 5;
        if (i > 0 && i % GROUP == 0)
            buf_byte(out, '-');
        buf_byte(out, (uint8_t)alphabet[bits >> have & 31]);
    }
}

enum ocop_status invitation_encode(const struct invitation *in, struct buf *out,
                                   struct ocop_error *err)
{
    uint8_t sum[CHECKSUM_LEN];
    struct buf raw;
    size_t address_len = strnlen(in->address, sizeof in->address);
    enum ocop_status st = OCOP_OK;

    if (address_len == 0 || address_len > INVITATION_ADDRESS_MAX)
        return err_set(err, OCOP_EINVAL, "an invitation needs an address of 1 to %d bytes",
                       INVITATION_ADDRESS_MAX);
    if (in->token_len == 0 || in->token_len > INVITATION_TOKEN_MAX)
        return err_set(err, OCOP_EINVAL, "an invitation needs a token of 1 to %d bytes",
                       INVITATION_TOKEN_MAX);
    buf_init(&raw, RAW_MAX);
    put_bytes(&raw, 1, in->root_key, sizeof in->root_key);
    put_bytes(&raw, 2, in->channel_key, sizeof in->channel_key);
    put_bytes(&raw, 3, in->channel_signature, sizeof in->channel_signature);
    put_bytes(&raw, 4, in->address, address_len);
    put_bytes(&raw, 5, in->token, in->token_len);
    buf_varint(&raw, 6 << 3);
    buf_varint(&raw, (uint64_t)in->expires_ms);
    if (in->channel_number > 0) {
        buf_varint(&raw, 7 << 3);
        buf_varint(&raw, in->channel_number);
    }
    if (in->root_number > 0) {
        buf_varint(&raw, 8 << 3);
        buf_varint(&raw, in->root_number);
    }
    checksum(buf_span(&raw), sum);
    buf_put(&raw, sum, sizeof sum);
    if (!raw.failed)
        put_base32(out, buf_span(&raw));
    if (raw.failed || out->failed)
        st = err_nomem(err);
    buf_fini(&raw);
    return st;
}

/* Value of one character; -1 when it stands for nothing, -2 when it is skipped. */
static int base32_value(char c)
{
    if (c == '-' || c == ' ' || c == '\n' || c == '\r' || c == '\t')
        return -2;
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= '2' && c <= '7')
        return c - '2' + 26;
    switch (c) {
    case '0':
        return 'O' - 'A';
    case '1':
        return 'I' - 'A';
    case '8':
        return 'B' - 'A';
    default:
        return -1;
    }
}

static enum ocop_status get_base32(const char *text, struct buf *raw, struct ocop_error *err)
{
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; text[i] != '\0'; i++) {
        int v = base32_value(text[i]);
        if (v == -2)
            continue;
        if (v < 0)
            return err_set(err, OCOP_EINVAL,
                           "character %zu of the invitation code is not a letter or digit of it; "
                           "compare the code and type it again",
                           i + 1);
        bits = bits << 5 | (uint32_t)v;
        have += 5;
        if (have >= 8) {
            have -= 8;
            buf_byte(raw, (uint8_t)(bits >> have));
        }
        if (raw->failed)
            return raw->full ? err_set(err, OCOP_EINVAL, "the invitation code is too long")
                             : err_nomem(err);
    }
    if (have >= 5 || (bits & ((1u << have) - 1)) != 0)
        return err_set(err, OCOP_EINVAL,
                       "the invitation code is cut short or mistyped; compare it");
    return OCOP_OK;
}

static bool take_exact(struct span v, uint8_t *out, size_t len)
{
    if (v.len != len)
        return false;
    memcpy(out, v.p, len);
    return true;
}

/* One field of the message; unknown ones are passed over, for newer servers. */
static bool take_field(uint64_t tag, struct span v, uint64_t integer, struct invitation *out)
{
    switch (tag) {
    case 1 << 3 | 2:
        return take_exact(v, out->root_key, sizeof out->root_key);
    case 2 << 3 | 2:
        return take_exact(v, out->channel_key, sizeof out->channel_key);
    case 3 << 3 | 2:
        return take_exact(v, out->channel_signature, sizeof out->channel_signature);
    case 4 << 3 | 2:
        if (v.len == 0 || v.len > INVITATION_ADDRESS_MAX || memchr(v.p, 0, v.len))
            return false;
        memcpy(out->address, v.p, v.len);
        out->address[v.len] = '\0';
        return true;
    case 5 << 3 | 2:
        if (v.len == 0 || v.len > INVITATION_TOKEN_MAX)
            return false;
        memcpy(out->token, v.p, v.len);
        out->token_len = v.len;
        return true;
    case 6 << 3:
        out->expires_ms = (int64_t)integer;
        return true;
    case 7 << 3:
        out->channel_number = integer;
        return true;
    case 8 << 3:
        out->root_number = integer;
        return true;
    default:
        return true;
    }
}

static bool parse(struct span s, struct invitation *out)
{
    size_t at = 0;

    while (at < s.len) {
        uint64_t tag, n;
        struct span v = {NULL, 0};
        if (!span_varint(s, &at, &tag) || !span_varint(s, &at, &n))
            return false;
        if ((tag & 7) == 2) {
            if (n > s.len - at)
                return false;
            v = span_of(s.p + at, (size_t)n);
            at += (size_t)n;
        } else if ((tag & 7) != 0) {
            return false;
        }
        if (!take_field(tag, v, n, out))
            return false;
    }
    return out->address[0] != '\0' && out->token_len > 0;
}

enum ocop_status invitation_decode(const char *text, struct invitation *out, struct ocop_error *err)
{
    uint8_t sum[CHECKSUM_LEN];
    struct buf raw;
    struct span s;
    enum ocop_status st;

    memset(out, 0, sizeof *out);
    buf_init(&raw, RAW_MAX);
    st = get_base32(text, &raw, err);
    if (st)
        goto out;
    s = buf_span(&raw);
    if (s.len > CHECKSUM_LEN) {
        s.len -= CHECKSUM_LEN;
        checksum(s, sum);
    }
    if (s.len == raw.len || memcmp(sum, s.p + s.len, sizeof sum) != 0) {
        st = err_set(err, OCOP_EINVAL,
                     "the invitation code is mistyped: its checksum is wrong; compare it");
        goto out;
    }
    if (!parse(s, out)) {
        st = err_set(err, OCOP_EINVAL, "the invitation code lacks what a device must know");
        goto out;
    }
    if (!invitation_signed(out->root_key, out->channel_key, out->channel_number,
                           out->channel_signature))
        st = err_set(err, OCOP_EAUTH,
                     "the invitation names a server that its registry did not sign; "
                     "ask for a new invitation");
out:
    if (st)
        memset(out, 0, sizeof *out);
    buf_fini(&raw);
    return st;
}
