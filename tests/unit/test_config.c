/* Settings: where values come from and which one stands. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "config.h"

static char file[] = "/tmp/test_config_XXXXXX";

static void write_file(const char *text)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static int make_file(void **state)
{
    (void)state;
    const int fd = mkstemp(file);
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

static int remove_file(void **state)
{
    (void)state;
    for (int i = 0; i < CONFIG_COUNT; i++)
        unsetenv(config_settings[i].variable);
    return unlink(file);
}

static void a_flag_stands_before_environment_file_and_default(void **state)
{
    struct config c;
    (void)state;
    config_init(&c);
    assert_string_equal(c.value[CONFIG_LOG_LEVEL], "info");
    assert_int_equal(c.source[CONFIG_LOG_LEVEL], CONFIG_DEFAULT);
    write_file("log_level = warn\ndb = /from/file\n");
    assert_int_equal(config_read(&c, file, false, NULL), OCOP_OK);
    assert_string_equal(c.value[CONFIG_LOG_LEVEL], "warn");
    setenv("OCOPD_LOG_LEVEL", "error", 1);
    assert_int_equal(config_environment(&c, NULL), OCOP_OK);
    assert_int_equal(config_log_level(&c), ENV_ERROR);
    assert_int_equal(config_set(&c, CONFIG_LOG_LEVEL, "debug", CONFIG_FLAG, NULL), OCOP_OK);
    assert_int_equal(config_log_level(&c), ENV_DEBUG);
    /* A lower source that comes later changes nothing. */
    assert_int_equal(config_environment(&c, NULL), OCOP_OK);
    assert_int_equal(config_log_level(&c), ENV_DEBUG);
    assert_string_equal(c.value[CONFIG_DB], "/from/file");
    assert_int_equal(c.source[CONFIG_DB], CONFIG_FILE);
    unsetenv("OCOPD_LOG_LEVEL");
}

static void a_wrong_line_of_the_file_is_named(void **state)
{
    static const struct {
        const char *text, *line, *reason;
    } cases[] = {
        {"# note\n\nlissten = tcp://0.0.0.0:1\n", ":3:", "lissten"},
        {"db = a\nwhat\n", ":2:", "name = value"},
        {"db = a\ndb = b\n", ":2:", "twice"},
        {"log_level = loud\n", ":1:", "debug, info"},
        {"batch = 0\n", ":1:", "1 to 256"},
        {"batch = 12x\n", ":1:", "1 to 256"},
        {"queue = 0\n", ":1:", "1 to 1048576"},
        {"workers = 17\n", ":1:", "0 to 16"},
        {"workers = -1\n", ":1:", "0 to 16"},
        {"readback = often\n", ":1:", "0 to 1000000"},
        {"certificate_days = -1\n", ":1:", "0 to 36500"},
        {"listen = 0.0.0.0:7070\n", ":1:", "tcp://"},
        {"listen = tcp://a,tcp://b,tcp://c,tcp://d,tcp://e\n", ":1:", "4 addresses"},
        {"address = here\n", ":1:", "tcp://"},
        {"[server]\ndb = a\n", ":2:", "no sections"},
        {"log_level = loud\nwhat = 1\n", ":1:", "debug, info"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config c;
        struct ocop_error err = {0};
        config_init(&c);
        write_file(cases[i].text);
        assert_int_equal(config_read(&c, file, false, &err), OCOP_EINVAL);
        if (!strstr(err.text, cases[i].line) || !strstr(err.text, cases[i].reason))
            fail_msg("%s gives: %s", cases[i].text, err.text);
    }
}

static void a_missing_file_is_an_error_only_when_it_was_named(void **state)
{
    struct config c;
    (void)state;
    config_init(&c);
    assert_int_equal(config_read(&c, "/nowhere/ocopd.conf", true, NULL), OCOP_OK);
    assert_int_equal(config_read(&c, "/nowhere/ocopd.conf", false, NULL), OCOP_ENOTFOUND);
    assert_string_equal(c.file, "");
}

static void a_wrong_value_of_the_environment_names_its_variable(void **state)
{
    struct config c;
    struct ocop_error err = {0};
    (void)state;
    config_init(&c);
    setenv("OCOPD_BATCH", "many", 1);
    assert_int_equal(config_environment(&c, &err), OCOP_EINVAL);
    assert_non_null(strstr(err.text, "OCOPD_BATCH"));
    unsetenv("OCOPD_BATCH");
}

static void addresses_are_split_at_commas(void **state)
{
    struct config c;
    char storage[CONFIG_VALUE_MAX];
    const char *out[CONFIG_LISTEN_MAX] = {NULL};
    (void)state;
    config_init(&c);
    assert_int_equal(config_set(&c, CONFIG_LISTEN, "tcp://a:1,ws://[::]:2", CONFIG_FLAG, NULL),
                     OCOP_OK);
    config_listen(&c, storage, out);
    assert_string_equal(out[0], "tcp://a:1");
    assert_string_equal(out[1], "ws://[::]:2");
    assert_null(out[2]);
}

static void every_setting_has_a_flag_and_is_shown_with_its_source(void **state)
{
    struct config c;
    char text[4000] = {0};
    (void)state;
    config_init(&c);
    assert_int_equal(config_by_flag("--db"), CONFIG_DB);
    assert_int_equal(config_by_flag("--log-level"), CONFIG_LOG_LEVEL);
    assert_int_equal(config_by_flag("--log"), CONFIG_COUNT);
    assert_int_equal(config_by_flag("db"), CONFIG_COUNT);
    assert_int_equal(config_set(&c, CONFIG_BATCH, "12", CONFIG_FLAG, NULL), OCOP_OK);
    assert_int_equal(config_batch(&c), 12);
    assert_int_equal(config_queue(&c), QUEUE_BYTES_DEFAULT);
    assert_in_range(config_workers(&c), 0, 4); /* auto */
    assert_int_equal(config_set(&c, CONFIG_WORKERS, "9", CONFIG_FLAG, NULL), OCOP_OK);
    assert_int_equal(config_workers(&c), 9);
    FILE *f = fmemopen(text, sizeof text - 1, "w");
    assert_non_null(f);
    config_show(&c, f);
    fclose(f);
    for (int i = 0; i < CONFIG_COUNT; i++)
        assert_non_null(strstr(text, config_settings[i].name));
    assert_non_null(strstr(text, "batch = 12\t# flag"));
    assert_non_null(strstr(text, "# default"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_stands_before_environment_file_and_default),
        cmocka_unit_test(a_wrong_line_of_the_file_is_named),
        cmocka_unit_test(a_missing_file_is_an_error_only_when_it_was_named),
        cmocka_unit_test(a_wrong_value_of_the_environment_names_its_variable),
        cmocka_unit_test(addresses_are_split_at_commas),
        cmocka_unit_test(every_setting_has_a_flag_and_is_shown_with_its_source),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
