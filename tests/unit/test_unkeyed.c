/* What a libocop that cannot encrypt says of keys, and of files that one which can has made. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ocop.h"

static const char key[] = "thirty-two bytes, taken as is...";

static int place(void **state)
{
    static char path[64];
    char dir[] = "/tmp/ocop-unkeyed-XXXXXX";

    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/store.ocop", dir);
    *state = path;
    return 0;
}

static int remove_place(void **state)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf \"$(dirname %s)\"", (const char *)*state);
    return system(command);
}

static void a_key_is_refused_and_no_file_is_made(void **state)
{
    const char *path = *state;
    const struct ocop_options keyed = {.key = key, .key_len = 32};
    struct ocop_error err = {0};
    struct ocop_store *store;

    assert_int_equal(ocop_open(path, &keyed, &store, &err), OCOP_EINVAL);
    assert_null(store);
    assert_string_equal(err.field, "key");
    assert_non_null(strstr(err.text, "CIPHER=1"));
    assert_int_equal(access(path, F_OK), -1);
}

static void a_store_says_that_it_is_not_encrypted_and_stays_as_it_is(void **state)
{
    struct ocop_store_status status;
    struct ocop_error err = {0};
    struct ocop_store *store;

    assert_int_equal(ocop_open(*state, NULL, &store, &err), OCOP_OK);
    assert_int_equal(ocop_rekey(store, key, 32, &err), OCOP_EINVAL);
    assert_non_null(strstr(err.text, "CIPHER=1"));
    assert_int_equal(ocop_store_status(store, &status, &err), OCOP_OK);
    assert_false(status.encrypted);
    ocop_close(store);
}

/* Its head, as SQLite3 Multiple Ciphers writes it: a salt, and 8 bytes of SQLite's header in clear.
 */
static void an_encrypted_file_is_known_and_left_alone(void **state)
{
    const char *path = *state;
    static const unsigned char tail[] = {0x10, 0, 2, 2, 32, 64, 32, 32};
    unsigned char head[4096] = "random, and more";
    struct ocop_error err = {0};
    struct ocop_store *store;
    struct stat info;
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    memcpy(head + 16, tail, sizeof tail);
    assert_int_equal(fwrite(head, 1, sizeof head, f), sizeof head);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(ocop_open(path, NULL, &store, &err), OCOP_EAUTH);
    assert_null(store);
    assert_non_null(strstr(err.text, "encrypted"));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, sizeof head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_is_refused_and_no_file_is_made, place, remove_place),
        cmocka_unit_test_setup_teardown(a_store_says_that_it_is_not_encrypted_and_stays_as_it_is,
                                        place, remove_place),
        cmocka_unit_test_setup_teardown(an_encrypted_file_is_known_and_left_alone, place,
                                        remove_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
