/*
 * test_functions.c: the reviewed list of pg_catalog functions is whole and says what it must.
 *
 * tests/golden/judge/pg15_functions.txt: SELECT DISTINCT proname FROM pg_proc WHERE pronamespace =
 * 'pg_catalog'::regnamespace, of PostgreSQL 15, in byte order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "policy/judge_private.h"

static void functions_of_postgresql_15_all_classified(void **state)
{
    FILE *file = fopen(TEST_SOURCE_DIR "/tests/golden/judge/pg15_functions.txt", "r");
    char line[128];
    size_t count = 0;
    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *reason = NULL;
        line[strcspn(line, "\n")] = '\0';
        enum function_class class = functions_class(line, &reason);
        if (class == FUNCTION_UNKNOWN)
            print_error("%s is not in functions.list\n", line);
        assert_int_not_equal(class, FUNCTION_UNKNOWN);
        assert_true(class != FUNCTION_DENIED || reason != NULL);
        count++;
    }
    (void)fclose(file);
    assert_int_equal(count, 2647);
}

static void assert_class(const char *name, enum function_class expected)
{
    const char *reason = NULL;
    if (functions_class(name, &reason) != expected)
        print_error("%s is not what it must be\n", name);
    assert_int_equal(functions_class(name, &reason), expected);
}

static const char *const past_guards[] = {
    "query_to_xml",
    "query_to_xmlschema",
    "query_to_xml_and_xmlschema",
    "table_to_xml",
    "cursor_to_xml",
    "schema_to_xml",
    "database_to_xml",
    "ts_stat",
    "ts_rewrite",
    "pg_read_file",
    "pg_read_binary_file",
    "pg_ls_dir",
    "pg_ls_logdir",
    "pg_stat_file",
    "pg_current_logfile",
    "lo_get",
    "lo_import",
    "lo_export",
    "loread",
    "lo_open",
    "set_config",
    "pg_show_all_settings",
    "pg_reload_conf",
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_sleep",
    "pg_sleep_for",
    "pg_sleep_until",
    "pg_advisory_lock",
    "pg_try_advisory_xact_lock",
    "nextval",
    "setval",
    "currval",
    "setseed",
    "pg_stat_get_activity",
    "pg_stat_get_live_tuples",
    "pg_lock_status",
    "pg_cursor",
    "pg_prepared_statement",
    "txid_current",
    "pg_current_xact_id",
    "txid_status",
    "pg_current_wal_lsn",
    "pg_create_logical_replication_slot",
    "pg_export_snapshot",
    "record_in",
    "record_out",
    "record_recv",
    "textin",
    "int4out",
    "regclassin",
    "to_regproc",
    "to_regrole",
    "pg_identify_object",
    "pg_get_object_address",
    "pg_relation_filenode",
    "pg_relation_filepath",
    "pg_filenode_relation",
    "pg_hba_file_rules",
    "pg_show_all_file_settings",
    "pg_config",
    "pg_ls_waldir",
    "pg_logical_emit_message",
    "pg_notify",
    "brin_summarize_new_values",
    "gin_clean_pending_list",
    "pg_column_compression",
    "pg_promote",
    "pg_backup_start",
    "pg_event_trigger_ddl_commands",
    "plpgsql_inline_handler",
    "inet_server_addr",
    "pg_stat_reset",
    "pg_tablespace_databases",
    "pg_blocking_pids",
    "pg_nextoid",
    "binary_upgrade_create_empty_extension",
    "pg_extension_config_dump",
    "pg_import_system_collations",
    "has_sequence_privilege",
    "row_security_active",
    "pg_mcv_list_items",
    "satisfies_hash_partition",
    "pg_listening_channels",
    "pg_notification_queue_usage",
};

static void functions_that_reach_past_guards_denied(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(past_guards) / sizeof(past_guards[0]); i++)
        assert_class(past_guards[i], FUNCTION_DENIED);
    assert_class("no_such_function", FUNCTION_UNKNOWN);
    assert_class("", FUNCTION_UNKNOWN);
    assert_class("LOWER",
                 FUNCTION_UNKNOWN); /* names are folded before; a quoted one is another name */
}

static void functions_that_compute_allowed(void **state)
{
    static const char *const names[] = {"lower",       "upper",
                                        "count",       "max",
                                        "now",         "substring",
                                        "jsonb_agg",   "date_trunc",
                                        "to_char",     "generate_series",
                                        "unnest",      "regexp_replace",
                                        "row_to_json", "similar_to_escape",
                                        "timezone",    "extract",
                                        "overlay",     "position",
                                        "left",        "right",
                                        "array_agg",   "percentile_cont",
                                        "concat_ws",   "md5",
                                        "sha256"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_class(names[i], FUNCTION_ALLOWED);
    assert_class("current_setting", FUNCTION_GUARDED);
    assert_class("pg_table_is_visible", FUNCTION_GUARDED);
    assert_class("current_user", FUNCTION_GUARDED);
    assert_class("lastval", FUNCTION_GUARDED);
    /* Plain, it names hidden tables by the OIDs of their row types. */
    assert_class("oidvectortypes", FUNCTION_GUARDED);
}

static void functions_aggregates_known(void **state)
{
    (void)state;
    assert_true(functions_aggregate("count"));
    assert_true(functions_aggregate("array_agg"));
    assert_true(functions_aggregate("xmlagg"));
    assert_false(functions_aggregate("lower"));
    assert_true(functions_aggregate("rank")); /* WITHIN GROUP */
    assert_false(functions_aggregate("row_number"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_postgresql_15_all_classified),
        cmocka_unit_test(functions_that_reach_past_guards_denied),
        cmocka_unit_test(functions_that_compute_allowed),
        cmocka_unit_test(functions_aggregates_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
