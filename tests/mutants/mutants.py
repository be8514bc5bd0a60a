"""
mutants.py [NAME...]: do the tests notice when an enforcement step is gone?

Each mutant disables one step: a place in the source and what stands there instead. It is built in a copy of the tree and the
tests that should notice run there; one that passes them all is a survivor, and the exit status is 1. --table prints the
results as docs/mutants.md has them. What the second wall is expected to stop is marked: the suite must fail for it all the
same, since it also asks that the refusal is by name.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "mutants"

# name, what is disabled, file, old, new, tests (a ctest -R expression), second wall too?
MUTANTS = [
    # ---- guards: what PostgreSQL enforces
    ("guard-barrier", "security_barrier on guards with a row filter", "policy/guard_plan.c", "(rule->rows != NULL || guard_is_cube(planner->policy, view->mission, table));",
     "guard_is_cube(planner->policy, view->mission, table);", "e2e/test_write_twins|e2e/test_twins", False),
    ("guard-filter", "the row filter in the guard", "policy/guard.c", "if (status == OK && rows[0] != '\\0') {", "if (false) {", "unit/test_guard", False),
    ("guard-hidden", "hidden columns left out of the guard", "policy/guard.c", "->kind == MASK_HIDE) {\n        return false;", "->kind == MASK_HIDE && false) {\n        return false;",
     "unit/test_guard", False),
    ("guard-null-mask", "the mask null", "policy/guard_expr.c", "*sql = arena_printf(context->arena, \"NULL::%s\", column->base_type);",
     "*sql = text_qualified(context->arena, context->alias, column->name);", "unit/test_guard", False),
    ("guard-mask", "masks by expression", "policy/guard_expr.c", "return masked(context, column, mask, sql, why);",
     "*sql = text_qualified(context->arena, context->alias, column->name);\n        return *sql == NULL ? ERR_MEMORY : OK;", "unit/test_guard", False),
    ("guard-pseudonym", "pseudonyms", "policy/guard_expr.c", "return pseudonym(context, column, sql, why);",
     "*sql = text_qualified(context->arena, context->alias, column->name);\n        return *sql == NULL ? ERR_MEMORY : OK;", "unit/test_guard", False),
    ("guard-check-option", "CHECK OPTION of guards that can be written", "policy/guard_plan.c", "bool check = insert != NULL || update != NULL;", "bool check = false;",
     "e2e/test_write_oracle", False),
    ("guard-grant-insert", "column grants of INSERT", "policy/guard_plan.c", "if (insert ? policy_may_insert(table, rule, name) : policy_may_update(table, rule, name)) {",
     "if (insert || policy_may_update(table, rule, name)) {", "e2e/test_write_grants|e2e/test_deploy", False),
    ("guard-grant-update", "column grants of UPDATE", "policy/guard_plan.c", "if (insert ? policy_may_insert(table, rule, name) : policy_may_update(table, rule, name)) {",
     "if (insert ? policy_may_insert(table, rule, name) : true) {", "e2e/test_write_grants|e2e/test_deploy", False),
    ("guard-registry", "the registries of guards are closed to pairs", "policy/guard_plan.c", "\"REVOKE ALL ON %s.\\\"relations\\\", %s.\\\"functions\\\", %s.\\\"sequences\\\" FROM %s\"",
     "\"COMMENT ON SCHEMA %s IS NULL; COMMENT ON SCHEMA %s IS NULL; COMMENT ON SCHEMA %s IS 'was %s'\"", "e2e/test_deploy|e2e/test_second_wall", False),
    # ---- retention and rights
    ("condition-none", "what retention and rights hide", "policy/rules.c", "    if (rule == NULL || policy->private->governed == NULL)\n        return rule;",
     "    if (rule == NULL || policy->private->governed != NULL || policy->private->governed == NULL)\n        return rule;", "e2e/test_rights$", False),
    ("condition-null", "a right that is NULL hides", "policy/conditions.c", "\"(%s) IS FALSE\"", "\"(%s) IS NOT TRUE\"", "e2e/test_rights$", False),
    ("condition-but", "where a right does not hold", "policy/conditions.c", "if (right->mission_count > 0 && listed == right->but)", "if (right->mission_count > 0 && !listed)",
     "golden/test_policy_good|e2e/test_rights$", False),
    ("condition-roles", "for whom a right holds", "policy/conditions.c", "if (right->role_count > 0 && !has_index(right->roles, right->role_count, (size_t)role))\n        return false;",
     "if (right->role_count > 0)\n        return false;", "golden/test_policy_good|e2e/test_rights$", False),
    ("retention-day", "the last day of a term belongs to it", "policy/retention.c", "w.today <= w.active_until", "w.today < w.active_until", "e2e/test_retention|e2e/test_rights$", False),
    ("retention-minor", "minors' records", "policy/retention.c", "GREATEST(%s, \"", "LEAST(%s, \"", "e2e/test_retention$", False),
    ("retention-hold", "a legal hold beats every date", "policy/retention.c", "CASE WHEN w.held OR w.last IS NULL", "CASE WHEN w.last IS NULL", "e2e/test_retention|e2e/test_rights$", False),
    ("retention-compare", "the copy is read back before rows are deleted", "tools/retention_archive.c",
     "if (there.count != sums[i].count || strcmp(there.sha256, sums[i].sha256) != 0) {", "if (there.count > sums[i].count + 1000000) {", "e2e/test_retention$", False),
    ("retention-tied", "rows that others refer to stay", "tools/rows.c", "if (status != OK || tied_count == 0)\n            return status;",
     "return status;", "e2e/test_retention$", False),
    ("retention-live", "the database is asked before the archive destroys", "tools/retention_destroy.c", "status = ask_live(one, keys, &count);", "(void)ask_live;", "e2e/test_retention$", False),
    ("two-people-same", "two people are two", "tools/two_people.c", "if (strcasecmp(by, and_by) == 0 || (one && one == other) ||", "if (", "e2e/test_subject_erase$", False),
    ("two-people-secret", "two names with one secret are one", "tools/two_people.c", "strcmp(one->secret, other->secret) == 0))", "strcmp(one->secret, other->secret) == 0 && false))", "e2e/test_subject_erase$", False),
    ("two-people-password", "each knows a password", "tools/two_people.c", "!knows_password(user, password)", "(false && !knows_password(user, password))", "e2e/test_retention$", False),
    ("register-chain", "an entry holds the hash of the one before", "tools/rights_register.c", "else if (!prev || strcmp(prev, one->prev) != 0)", "else if (!prev)", "e2e/test_subject$", False),
    ("register-active", "rights in force are those of the entries", "tools/rights_register.c", "if (known < map_count(one->active)) {", "if (false) {", "e2e/test_subject$", False),
    ("capture-scope", "names that would capture a subject", "policy/guard_expr.c", "(one.named && one.marked))", "false)", "unit/test_guard", False),
    # ---- documents
    ("incident-clock", "72 hours are not three days of the calendar", "tools/incident_data.c", "    time_t deadline = aware + INCIDENT_SECONDS;",
     "    struct tm wall;\n    (void)localtime_r(&aware, &wall);\n    wall.tm_mday += 3;\n    wall.tm_isdst = -1;\n    time_t deadline = mktime(&wall);", "e2e/test_incident", False),
    ("incident-twice", "a patient whom many statements name is one", "tools/incident_subjects.c", "        if (before && (before->last == INT64_MAX", "        if (before && false && (before->last == INT64_MAX", "e2e/test_incident", False),
    ("incident-written", "what was written", "tools/incident.c", "        *written = true;\n", "        *written = false;\n", "e2e/test_incident", False),
    ("incident-event", "glasses that were broken", "tools/incident.c", "        line->statements += event != NULL;\n", "", "e2e/test_incident", False),
    ("register-null", "a column that is always NULL is seen by nobody", "tools/doc_policy.c", "    case MASK_NULL:\n        break;\n    }\n    return SIGHT_NONE;", "    case MASK_NULL:\n        break;\n    }\n    return SIGHT_MASKED;", "e2e/test_documents", False),
    ("document-title", "titles are of the document's language", "tools/doc.c", "    const char *found = doc->french ? text : text_en;", "    const char *found = text ? text : text_en;", "e2e/test_documents", False),
    ("dpia-arrays", "the arrays that the tool's import goes through", "tools/cmd_dpia.c", "\"{s:o, s:o, s:o, s:[], s:[]}\", \"pia\"", "\"{s:o, s:o, s:o, s:[], s:n}\", \"pia\"", "e2e/test_dpia", False),
    ("scan-key", "the key of a NIR", "tools/detect_numbers.c", "    return two(number + 13) == 97 - (int)modulo97(number, 13, 0);", "    return two(number + 13) <= 97;", "unit/test_detect", False),
    ("scan-share", "nine in ten of the values", "tools/classify.c", "share(traits->valid[detector->kind], traits->values, detector->percent);", "share(traits->valid[detector->kind], traits->values, 1);", "e2e/test_scan", False),
    # ---- missions that are aggregate_only
    ("reach-seen", "a value that something seen needs is not spare", "tools/minimise_spare.c", "holds(rows[i], trial->person->parts[i].base)", "true", "e2e/test_minimise_reach", False),
    ("reach-opens", "a value that keeps something closed is not spare", "tools/minimise_spare.c", "holds(trial->before[i], rows[i]);", "true;", "e2e/test_minimise_reach", False),
    ("reach-exact", "nothing is spare where a record does not name all patients", "tools/minimise_spare.c", "part->pair->session || use->inexact || use->elsewhere", "part->pair->session || use->elsewhere", "e2e/test_minimise_reach", False),
    ("reach-session", "what the client says decides", "tools/minimise_reach.c", "pair->session = pair->session || strstr(sql, quoted) != NULL;", "(void)sql;", "e2e/test_minimise_reach", False),
    ("reach-other", "what is nobody's decides as well", "tools/minimise_spare.c", "return pair->others[i].attributes[attribute];", "return false;", "e2e/test_minimise_reach", False),
    ("reach-superuser", "rows are not counted with a superuser's rights", "tools/minimise_reach.c", "bool plain = result != NULL && PQntuples(result) == 0;", "bool plain = result != NULL;", "e2e/test_minimise_reach", False),
    ("catalog-locks", "a reading of the catalogs gives up its locks", "proxy/catalog_load.c", "SET LOCAL lock_timeout = '20ms'", "SET LOCAL lock_timeout = 0", "e2e/test_catalog_reading", False),
    ("cell-rows", "what stands behind a table of patients are no rows of it", "policy/guard.c", "return cube ? cube_definition(&context, sql, columns, count, why)", "return cube && sql == NULL ? cube_definition(&context, sql, columns, count, why)", "e2e/test_aggregate", False),
    ("cell-few", "cells of fewer than k do not exist", "policy/guard_cell.c", ">= %llu\\n    %s) c", ">= %llu - 3\\n    %s) c", "e2e/test_aggregate", False),
    ("cell-text", "equal values that can be told apart are two", "policy/guard_cell.c", "add_key(cells, \"pg_catalog.concat(\", value, \") COLLATE pg_catalog.\\\"C\\\"\");", "(void)value;", "e2e/test_aggregate", False),
    ("cell-missing", "cells in which a measure has no value", "policy/guard_cell.c", "add_key(cells, \"(\", value, \") IS NULL\");", "(void)value;", "e2e/test_aggregate", False),
    ("cell-order", "rows come in the order of the cells' values", "policy/guard_cell.c", "cells->key_count == 0 ? \"\" : arena_printf(arena, \"ORDER BY %s\", keys);", "cells->key_count == 0 ? \"\" : arena_printf(arena, \"ORDER BY pg_catalog.min(%s)%.0s\", cells->subject, keys);", "e2e/test_aggregate", False),
    ("cell-digits", "how many digits a value has", "policy/guard_cell.c", "pg_catalog.trim_scale(pg_catalog.sum(", "(pg_catalog.sum(", "e2e/test_aggregate$", False),
    ("cell-nobody", "rows of nobody are in no cell", "policy/guard_cell.c", "WHERE %s%s%s IS NOT NULL", "WHERE %s%s(%s) IS NOT NULL IS NOT NULL", "e2e/test_aggregate", False),
    ("cell-patients", "patients of a cell are nobody", "policy/guard_cell.c", "        add_patient(cells, name);\n        return OK;", "        buf_printf(&cells->inner, \", pg_catalog.min(%s) AS %s\", name, name);\n        buf_printf(&cells->outer, \"c.%s AS %s\", name, name);\n        (void)add_patient;\n        return OK;", "e2e/test_aggregate", False),
    ("cell-kin", "a child of two tables", "policy/guard_cell_check.c", "b.oid) > 1;", "b.oid) > 100;", "e2e/test_aggregate$", False),
    ("star-named", "a star with a name is a star", "policy/judge_select.c", "if (ref != NULL && is_star(ref)) {\n            status = star", "if (ref != NULL && is_star(ref) && target->name[0] == '\\0') {\n            status = star", "golden/test_judge", False),
    ("star-natural", "NATURAL with a side of which little is known", "policy/judge_from.c", "    if (!tells_all(level, start)) {", "    if (!tells_all(level, start) && false) {", "golden/test_judge", False),
    ("cube-single", "a number of patients is of one cell", "policy/judge_cube.c", "    return check_single(judge, use);", "    (void)check_single;\n    return OK;", "e2e/test_aggregate$", False),
    ("star-using", "a star over USING has a column once", "policy/judge_select.c", "    if (merged)\n        list->known = false;", "    (void)merged;", "golden/test_judge", False),
    ("cell-settings", "cells do not follow a client's settings", "policy/guard_cell_check.c", "IF found IS NOT NULL THEN RAISE EXCEPTION USING MESSAGE = %s || found, HINT", "IF found IS NOT NULL AND false THEN RAISE EXCEPTION USING MESSAGE = %s || found, HINT", "e2e/test_aggregate$", False),
    ("cell-columns", "the guard of a cube shows what may be asked by", "policy/guard.c", "policy_part_of(table, column) != PART_NONE ||", "policy_part_of(table, column) != PART_NONE || true ||", "e2e/test_aggregate$", False),
    ("cell-overlap", "rows are in one cube only", "policy/guard_cell.c", "        if (other == NULL)\n            continue;", "        if (other == NULL || true)\n            continue;", "e2e/test_aggregate$", False),
    ("cell-view", "views of patients say whose they are", "policy/guard_cell.c", "    if (bases->count == 0)\n        return OK;", "    if (bases->count < 100)\n        return OK;", "e2e/test_aggregate$", False),
    ("cube-column", "columns that are no dimensions", "policy/judge_cube.c", "    if (part == PART_DIMENSION)\n        return OK;", "    if (part != PART_MEASURE)\n        return OK;", "golden/test_judge", False),
    ("cube-measure", "measures stand in aggregates that add only", "policy/judge_cube.c", "return argument && judge->argument.adds && part == PART_MEASURE", "return part == PART_MEASURE", "golden/test_judge", False),
    ("cube-outer", "aggregates of an outer level", "policy/judge_cube.c", "        if (at->aggregate_depth > 0)\n            return true;", "        if (at->aggregate_depth > 1000)\n            return true;", "golden/test_judge", False),
    ("cube-grouped", "rows are grouped", "policy/judge_cube.c", "    if (!grouped)\n", "    if (!grouped && false)\n", "golden/test_judge", False),
    ("cube-told", "only a level's own aggregate groups it", "policy/judge_column.c", "level->told = level->told || (level == judge->level && level->aggregate_depth > 0);",
     "level->told = level->told || level != judge->level || level->aggregate_depth > 0;", "golden/test_judge|e2e/test_aggregate", False),
    ("cube-order", "aggregates that follow the order of rows", "policy/judge_cube.c", "return level->cube && call->over == NULL && !is_listed(adding, name) &&", "return level->cube && false && !is_listed(adding, name) &&", "golden/test_judge", False),
    ("cube-people", "patients of several cells", "policy/judge_cube.c", "enum status status = item->people ? check_people(judge, select, item) : OK;", "enum status status = OK;\n        (void)check_people;", "golden/test_judge", False),
    ("cube-changing", "functions that answer otherwise for each row", "policy/judge_cube.c", "if (judge->changing != NULL || judge->sequences", "if (judge->sequences", "golden/test_judge", False),
    ("cube-whole", "COPY of a table", "policy/judge_cube.c", "if (judge->uses[i]->cube && !judge->uses[i]->grouped)", "if (false)", "golden/test_judge", False),
    ("cube-day", "the day's statements", "proxy/budget.c", "if (entry.count > limit || count > limit - entry.count)", "if (false)", "e2e/test_aggregate$", False),
    ("cube-execute", "the day's statements, by EXECUTE", "proxy/use.c", "enum status status = mission_limits_ask(session, executed, refusal);", "enum status status = OK;", "e2e/test_aggregate$", False),
    # ---- names and relations
    ("resolve-rule", "a relation without a rule is refused by name", "policy/resolve.c", "return no_rule(judge, relation, at);", "(void)no_rule;", "golden/test_judge", True),
    ("resolve-catalogs", "closed system catalogs", "policy/resolve.c", "if (access == CATALOG_CLOSED)", "if (false)", "golden/test_judge", True),
    ("resolve-schemas", "guard schemas and pg_temp are closed", "policy/resolve.c", "if (!own && closed_schema(var->schemaname))", "if (false && own)", "golden/test_judge", True),
    ("resolve-needs", "attributes that a rule needs", "policy/resolve.c", "status = check_needs(judge, table, rule, relation, at);", "(void)check_needs;", "golden/test_judge", True),
    ("resolve-cte", "a CTE hides a table", "policy/judge_from.c", "    if (cte != NULL) {\n        item.columns", "    cte = NULL;\n    if (cte != NULL) {\n        item.columns",
     "golden/test_judge", True),
    ("column-call", "p.f that could be the call f(p)", "policy/judge_column.c", "if (class == FUNCTION_DENIED || class == FUNCTION_GUARDED ||", "if (false && (class == FUNCTION_GUARDED) &&",
     "golden/test_judge", False),
    ("column-system", "system columns", "policy/judge_column.c", "return system_column(name) ? refuse_system(judge, name, at) : OK;", "return OK;", "golden/test_judge", True),
    # ---- functions, operators, types
    ("function-list", "the reviewed list of functions", "policy/judge_function.c", "if (class != FUNCTION_ALLOWED)", "if (false)", "golden/test_judge", False),
    ("function-policy", "other functions by the policy only", "policy/judge_function.c", "if (!policy_allows(judge, schema, name))", "if (false)", "golden/test_judge", False),
    ("function-qualify", "builtins are written as pg_catalog's", "policy/judge_function.c", "status = rewrite_edit(judge, at, 0, \"pg_catalog.\");", "status = OK;", "golden/test_judge", True),
    ("operator", "operators that exist outside pg_catalog", "policy/judge_operator.c", "if (!catalog_has_operator(judge->request->catalog, text)) {", "if (true) {", "golden/test_judge", True),
    ("type", "types of columns and casts", "policy/types.c", "enum status status = named(judge, type, at);", "enum status status = OK;\n    (void)named;\n    (void)at;", "golden/test_judge", False),
    ("reg-cast", "casts to regclass and its kin", "policy/types.c", "enum status status = judge_reg_cast(judge, cast, node, &done);", "(void)node;\n    enum status status = OK;",
     "golden/test_judge", False),
    ("current-user", "current_user answers the person", "policy/judge_walk.c", "return judge_value_function(judge, (PgQuery__SQLValueFunction *)message, node);",
     "(void)judge;\n    (void)message;\n    (void)node;\n    return OK;", "golden/test_judge", False),
    ("parameter-type", "types of parameters", "policy/types.c", "return oid == 0 ||\n", "return true || oid == 0 ||\n", "attacks/test_sql_attacks|attacks/test_protocol|unit/test_judge", False),
    # ---- statements and settings
    ("node-table", "the table of nodes", "policy/judge_walk.c", "!rules[node_case].allowed)", "false)", "golden/test_judge", True),
    ("statement-list", "the allow-list of statements", "policy/judge_statement.c", "return refuse_statement(judge, out->tag, why_not((int)node->node_case));",
     "(void)why_not;\n    out->kind = STATEMENT_SELECT;\n    return OK;", "golden/test_judge", True),
    ("setting-list", "the list of settings", "policy/settings.c", "            return settings[i].class;\n    }\n    return SETTING_REFUSED;", "            return settings[i].class;\n    }\n    return SETTING_FORWARD;",
     "unit/test_judge_limits|golden/test_judge", False),
    ("setting-value", "values of settings", "policy/settings.c", "if (strcasecmp(name, \"client_min_messages\") == 0)", "if (true)\n        return true;\n    if (strcasecmp(name, \"client_min_messages\") == 0)",
     "unit/test_judge_limits|golden/test_judge", False),
    ("verify", "the text that is sent is parsed again", "policy/verify.c", "enum status verify(struct judge *judge, PgQuery__ParseResult *judged)\n{", "enum status verify(struct judge *judge, PgQuery__ParseResult *judged)\n{\n    if (judge != NULL)\n        return OK;",
     "unit/test_verify", True),
    ("depth", "the bound on depth", "policy/judge.c", "if (status == ERR_LIMIT)", "if (false)", "unit/test_judge_limits", False),
    # ---- writes
    ("write-column", "columns that may be written", "policy/judge_write.c", "    if (!may)\n", "    if (false && !may)\n", "golden/test_judge", True),
    ("write-rule", "rows that may be written at all", "policy/judge_write.c", "if (!writable(use->shown.rule, kind))", "if (false && !writable(use->shown.rule, kind))", "golden/test_judge", True),
    ("conflict-reference", "ON CONFLICT: no look at the row in the way", "policy/judge_conflict.c", "if (status == OK && filtered && level->items[0].touched)", "if (false && filtered)",
     "golden/test_judge", False),
    ("conflict-filter", "ON CONFLICT: no change of what the filter names", "policy/judge_conflict.c", "        status = check_filter(judge, conflict);", "        (void)check_filter;",
     "golden/test_judge", False),
    # ---- the proxy
    ("scrub-detail", "DETAIL is dropped", "proxy/scrub.c", "    report->detail = NULL;\n", "", "unit/test_scrub", False),
    ("scrub-where", "CONTEXT is dropped", "proxy/scrub.c", "    report->where = where;\n", "    (void)where;\n", "unit/test_scrub", False),
    ("scrub-names", "guard names in messages", "proxy/scrub.c", "if (starts(at, \"\\\"pgvigil:\") || (word_start && starts(at, \"pgvigil:\"))) {", "if (word_start && starts(at, \"pgvigil::\")) {",
     "unit/test_scrub", False),
    ("scrub-origin", "OIDs of guards in RowDescription", "proxy/scrub.c", "    *table_oid = known ? guard->base_oid : 0;", "    (void)known;", "e2e/test_spine_roles|e2e/test_oracle", False),
    ("bind-epoch", "prepared statements are judged again", "proxy/extended.c", "if (statement->epoch == session->epoch && prepared_is_current(session, statement))\n        return OK;", "if (statement != NULL)\n        return OK;",
     "e2e/test_spine_roles|attacks/test_sql_attacks|e2e/test_mission_transactions", True),
    ("identity-attribute", "an attribute that a person lacks is empty", "proxy/identity.c", "    return \"\";\n}\n\nstatic void put_pair", "    return \"{1,2,3,4}\";\n}\n\nstatic void put_pair",
     "unit/test_identity", False),
    ("begin-record", "a write is on record before it runs", "proxy/query.c", "if (!needed && audit_healthy(session->worker->audit))", "(void)needed;\n        if (audit_healthy(session->worker->audit))",
     "e2e/test_write_oracle|e2e/test_audit", False),
    ("hold", "a result waits for its record", "proxy/outbox.c", "void outbox_release(struct outbox *outbox)\n{", "void outbox_release(struct outbox *outbox)\n{\n    outbox->covered = buf_len(&outbox->bytes);",
     "unit/test_outbox|e2e/test_audit", False),
    ("cancel-key", "the key of a cancel request", "proxy/cancel.c", "CRYPTO_memcmp(&session->key_secret, &secret, sizeof secret) == 0", "true", "attacks/test_protocol|e2e/test_cancel", False),
    ("scram-proof", "the client's proof", "proxy/scram.c", "bool equal = CRYPTO_memcmp(stored, scram->secret.stored_key, SCRAM_KEY_BYTES) == 0;", "bool equal = true;", "unit/test_scram", False),
    ("plaintext", "no start-up without TLS", "proxy/auth.c", "if (!encrypted && !session->worker->config->listen.plaintext) {", "if (false) {", "attacks/test_protocol", False),
    ("max-rows", "max_rows of a mission", "proxy/result_rows.c", "return status == DENIED ? over_limit(session, head, message) : status;", "return status == DENIED && rows > 1000000 ? over_limit(session, head, message) : OK;",
     "e2e/test_spine_roles|e2e/test_spine_robust|attacks/test_write_limit_attacks", False),
    ("type-pair", "types that only hidden columns have", "policy/types.c", "if (!catalog_pair_has_type(catalog, judge->verdict->pair, where, name)) {", "if (false) {",
     "golden/test_judge", False),
    ("copy-file", "COPY with files and programs of the server", "policy/judge_copy.c", "if (stream && !copy->is_program && copy->filename[0] == '\\0')", "if (words->end > 0)",
     "golden/test_judge", True),
    ("copy-column", "columns that COPY FROM may fill", "policy/judge_copy_from.c", "enum status status = judge_write_column(judge, WRITE_INSERT, name, SIZE_MAX);",
     "enum status status = OK;", "golden/test_judge", True),
    ("lock-right", "row locks without a right to update", "policy/judge_lock.c", "        if (policy_may_update(use->shown.table, rule, use->columns[i]))", "        if (true)",
     "golden/test_judge", True),
    ("execute-kind", "what EXECUTE may run", "proxy/prepared.c", "    if (statement->local || statement->verdict->statement_count != 1)\n        return false;",
     "    if (statement->verdict != NULL)\n        return true;", "e2e/test_prepare", False),
    ("mission-cursors", "cursors end with the mission", "proxy/mission.c", "    use_end(session);\n    temporary_end(", "    temporary_end(",
     "e2e/test_cursors|attacks/test_lifetime_attacks|e2e/test_mission_transactions", False),
    ("mission-portals", "portals end with the mission", "proxy/mission.c", "    statements_end_portals(session->statements, UINT64_MAX);\n    use_end", "    use_end",
     "e2e/test_cursors|attacks/test_lifetime_attacks|e2e/test_mission_transactions|e2e/test_spine_roles", False),
    ("glass-length", "the length of a reason to break the glass", "proxy/break_glass.c", "if (text_characters(plain, strlen(plain)) < least)", "if (least == 0)", "unit/test_break_glass|e2e/test_break_glass", False),
    ("glass-words", "trivial reasons", "proxy/break_glass.c", "else if (different_words(plain) < WORDS_MIN)", "else if (false)", "unit/test_break_glass|e2e/test_break_glass", False),
    ("glass-again", "a reason that was given the last time", "proxy/break_glass.c", "else if (given_before(entry->registry, entry->identity->user->name, plain))",
     "else if (false && given_before(entry->registry, entry->identity->user->name, plain))", "unit/test_break_glass|e2e/test_break_glass", False),
    ("glass-patient", "the patient that the glass is broken for", "proxy/break_glass.c", "if (patient && blank(identity->patient))", "if (false && blank(identity->patient))",
     "unit/test_break_glass|e2e/test_break_glass", False),
    ("glass-other", "another patient behind the same glass", "proxy/break_glass.c", "           (glass->patient == NULL ||\n", "           (true || glass->patient == NULL ||\n",
     "unit/test_break_glass|e2e/test_break_glass", False),
    ("glass-end", "the minutes of a broken glass", "proxy/break_glass.c", "return now < glass->until &&", "return now != UINT64_MAX &&", "unit/test_break_glass|e2e/test_break_glass", False),
    ("hours", "the hours of a mission", "policy/opening.c", "    return mission->hours_count == 0;\n", "    return true;\n", "unit/test_opening|e2e/test_mission_limits", False),
    ("addresses", "the addresses of a mission", "policy/opening.c", "        if (inside(&mission->addresses[i], v6, bytes))", "        if (inside(&mission->addresses[i], v6, bytes) || true)",
     "unit/test_opening|e2e/test_mission_limits", False),
    ("mission-temporary", "temporary tables end with the mission", "proxy/mission.c", "    temporary_end(&session->temporary);\n    enum status status = record_change", "    enum status status = record_change",
     "attacks/test_temporary_attacks|attacks/test_temporary_next|e2e/test_temporary", False),
    ("lock-mode", "LOCK TABLE takes `delete` but in ACCESS SHARE", "policy/judge_utility.c", "    if (!rule->delete_rows) {", "    if (false) {", "golden/test_judge", True),
    ("truncate-rule", "TRUNCATE takes the rule's word", "policy/judge_utility.c", "        rule->truncate && rule->rows == NULL) {", "        rule->rows == NULL) {", "golden/test_judge", True),
    ("channel-list", "channels of LISTEN and NOTIFY", "policy/judge_notify.c", "    if (policy_channel_open(request->policy, request->role, channel))", "    if (channel != NULL)",
     "golden/test_judge", False),
    ("channel-heard", "what is heard is asked when it arrives", "proxy/notification.c", "        !policy_channel_open(policy, identity->role, channel))", "        channel == NULL)",
     "e2e/test_notify", False),
    ("two-phase-name", "whose a prepared transaction is", "policy/judge_two_phase.c", "    buf_cstr(&text, user == NULL ? \"\" : user->name);", "    buf_cstr(&text, user == NULL ? \"\" : \"x\");",
     "e2e/test_two_phase", False),
    ("explain-words", "EXPLAIN says node types only", "proxy/explain.c", "        if (!known(line + next, stop - next))", "        if (stop == next)", "unit/test_explain|e2e/test_explain", False),
    ("sequence-draw", "sequences follow their table", "policy/judge_sequence.c", "    if (listed(judge, sequence) || (rule != NULL", "    if (true || listed(judge, sequence) || (rule != NULL",
     "golden/test_judge|e2e/test_sequences", True),
    ("large-objects", "large objects by the role's word", "policy/judge_object.c", "    if (policy_role_allows(request->policy, request->role, ALLOW_LARGE_OBJECTS))", "    if (function != NULL)",
     "golden/test_judge", False),
    ("stale-guard", "a guard whose columns were renamed", "proxy/catalog_load.c", "        if (!is_stale(stale, guard.oid)) {", "        if (true || !is_stale(stale, guard.oid)) {", "e2e/test_renames", False),
    ("rows-hour", "the rows of an hour", "proxy/mission_limits.c", "    if (session->rows_taken->portion.rows == 0)\n        return hour_is_used_up(session, limits, message, size);\n    session->rows_taken->portion.rows--;",
     "    if (session->rows_taken->portion.rows > 0)\n        session->rows_taken->portion.rows--;\n    (void)message;\n    (void)size;", "e2e/test_mission_limits", False),
    # ---- people behind a shared login
    ("person-standing", "another person changes what a session is", "proxy/identity.c", "    return identity_same_person(a, b) && a->role == b->role", "    return a->role == b->role",
     "e2e/test_shared_logins", False),
    ("person-ceiling", "the ceiling of a shared login", "policy/policy.c", "        if ((int)on_behalf->roles[i] == role)\n", "        if (i == 0 || (int)on_behalf->roles[i] == role)\n",
     "unit/test_shared_identity", False),
    ("person-shared", "a shared login is nobody to act for", "policy/policy.c", "if (on_behalf == NULL || person->on_behalf != NULL ||", "if (on_behalf == NULL ||", "unit/test_shared_identity", False),
    ("person-nobody", "nobody touches no data", "proxy/judging.c", "    if (nobody && status != ERR_SYNTAX &&", "    if (false && nobody &&", "e2e/test_shared_logins", True),
    ("person-glass", "a broken glass is hers who broke it", "proxy/break_glass.c", "strcmp(glass->person, identity->user->name) == 0 &&", "glass->person != NULL &&", "unit/test_shared_identity", False),
    ("person-reason", "a reason is hers who gave it", "proxy/identity.c", "    identity->reason = identity->patient = NULL;\n    identity->until = 0;",
     "    identity->reason = strdup(\"somebody's\");\n    identity->patient = NULL;\n    identity->until = 0;", "unit/test_shared_identity", False),
    ("person-kept", "what one sets in her transaction is not the next one's", "proxy/mission.c", "(is_of_person(change) && !identity_same_person(kept, &session->identity))", "(false && is_of_person(change))",
     "e2e/test_shared_logins", False),
    ("person-drew", "what one drew from a sequence is not the next one's", "proxy/server_prepare.c", "(server->drew != server->session->id || server->doubtful ||", "(server->drew != server->session->id || (server->doubtful && false) || false &&",
     "e2e/test_shared_logins", False),
    # ---- a server connection that turns to another person
    ("turn-sync", "no Sync between an identity and the statement behind it", "proxy/server_prepare.c", "    bool good = put_turn(server);\n",
     "    bool good = put_turn(server);\n    wire_put_sync(&server->out);\n    struct request *sync = requests_add(&session->requests, REQUEST_SYNC);\n    if (sync == NULL)\n        return false;\n"
     "    sync->own = true;\n    sync->group = session->group;\n    session->group_forwarded = false;\n", "e2e/test_turn", False),
    ("turn-doubtful", "an identity goes back with the statement that failed", "proxy/mission.c", "        session->server->doubtful = true;\n    if (transaction_keeps_nothing",
     "        session->server->doubtful = !transaction_keeps_nothing(&session->transaction);\n    if (transaction_keeps_nothing", "e2e/test_turn", False),
    ("turn-pipeline", "nothing is sent before it is known whether the identity stays", "proxy/server_prepare.c", "    session->group_forwarded = session->transaction.touched = true;\n    bool good",
     "    session->group_forwarded = true;\n    bool good", "e2e/test_turn", False),
    ("turn-plain", "what must begin its transaction waits for the identity", "proxy/query.c", "(one->kind == STATEMENT_SELECT || one->kind == STATEMENT_WRITE) &&", "(one->kind != STATEMENT_EMPTY) &&",
     "e2e/test_turn", False),
    ("token-signature", "the signature of a token", "proxy/token.c", "if (verify(key, token, signed_len, signature, len))", "if (verify(key, token, signed_len, signature, len) || len > 0)",
     "fuzz/replay_token|attacks/test_token_attacks", False),
    ("token-algorithm", "the algorithm is the key's", "proxy/token.c", "        if (strcmp(choice->algorithm, token_algorithm_name(key->algorithm)) != 0)\n            continue;\n", "",
     "attacks/test_token_attacks", False),
    ("token-kid", "a token's key by its name", "proxy/token.c", "    if (key->id == NULL)\n        return true;\n    return id", "    if (key->id == NULL || keys != NULL)\n        return true;\n    return id",
     "attacks/test_token_attacks", False),
    ("token-crit", "extensions that must be understood", "proxy/token.c", "if (json_object_get(header, \"crit\") != NULL)", "if (false)", "attacks/test_token_attacks", False),
    ("token-twice", "a member that stands twice", "proxy/token.c", "len, JSON_REJECT_DUPLICATES, NULL)", "len, 0, NULL)", "unit/test_token", False),
    ("token-issuer", "the issuer of a token", "proxy/token.c", "strcmp(issuer, rules->issuer) != 0)", "issuer[0] == '\\0')", "unit/test_token", False),
    ("token-audience", "whom a token was made for", "proxy/token.c", "if (!names_audience(claims, rules->audience))", "if (false && !names_audience(claims, rules->audience))", "unit/test_token", False),
    ("token-end", "the end of a token when it comes", "proxy/token.c", "if (facts->until <= now)", "if (facts->until < 0)", "unit/test_token", False),
    ("token-over", "the end of a token in a session", "proxy/person.c", "return identity->person == IDENTITY_PROVEN && now_seconds() >= identity->until;",
     "return identity->person == IDENTITY_PROVEN && now_seconds() < 0;", "e2e/test_shared_tokens", False),
    ("token-reload", "keys that are others after a reload", "proxy/person.c", "    if (identity->person == IDENTITY_PROVEN &&\n        !same_proof(", "    if (identity->person == IDENTITY_EXPIRED &&\n        !same_proof(",
     "e2e/test_shared_tokens", False),
    ("token-canonical", "one text for each value in base64url", "proxy/token_keys.c", "return (bits & ((1u << held) - 1)) == 0 ? OK : ERR_INVALID;", "return OK;", "unit/test_token", False),
    # ---- the admin port and the console
    ("console-admin", "the console is for those whom the file names", "proxy/config.c", "        if (strcmp(config->admin.users[i], user) == 0)\n", "        if (user[0] != '\\0')\n", "unit/test_config|e2e/test_console", False),
    ("console-shared", "a login that acts for others is no admin", "proxy/console.c", "config_is_admin(session->worker->config, user->name) && user->on_behalf == NULL;", "config_is_admin(session->worker->config, user->name);",
     "e2e/test_console", False),
    ("console-record", "a look at the console is on record", "proxy/console.c", "    return audit_event(session->worker->audit, \"console\", &session->who, detail);", "    (void)session;\n    (void)detail;\n    return OK;",
     "e2e/test_console", False),
    ("console-cover", "what the console says waits for its record", "proxy/console.c", "    outbox_cover(&session->out);\n    worker_touch", "    outbox_cover(&session->out);\n    outbox_release(&session->out);\n    worker_touch", "e2e/test_console", False),
    ("console-secret", "passwords of conninfos are not shown", "proxy/view_config.c", "bool secret = strchr(option->dispchar, '*') != NULL;", "bool secret = strchr(option->dispchar, '?') != NULL;", "e2e/test_console", False),
    ("console-gone", "who has gone from the policy is no admin", "proxy/console.c", "    if (session->world == world)\n        return true;", "    if (world != NULL)\n        return true;", "e2e/test_console", False),
    ("admin-loopback", "the admin port is for this machine", "proxy/config.c", "    if (!is_loopback(admin->address) && !admin->unauthenticated)", "    if (!is_loopback(admin->address) && admin->port == 0)", "unit/test_config", False),
    ("admin-method", "GET alone is answered on the admin port", "proxy/admin.c", "if (evhttp_request_get_command(request) == EVHTTP_REQ_GET)", "if (path != NULL)", "e2e/test_admin", False),
    ("admin-connections", "connections to the admin port are few", "proxy/admin.c", "    if (used == CONNECTIONS_MAX)\n        evconnlistener_disable", "    if (used > CONNECTIONS_MAX)\n        evconnlistener_disable", "e2e/test_admin", False),
    ("cache-attributes", "which attributes the person has, for what was judged before", "proxy/judging.c", "    buf_append(&key, &user->attribute_count, sizeof user->attribute_count);\n    for (size_t i = 0; i < user->attribute_count; i++)\n", "    for (size_t i = 0; i < 0; i++)\n",
     "e2e/test_statement_cache", False),
    ("cache-role", "the role, for what was judged before", "proxy/judging.c", "    buf_append(&key, &request.role, sizeof request.role);\n", "", "e2e/test_statement_cache", False),
    ("cache-mission", "the mission, for what was judged before", "proxy/judging.c", "    buf_append(&key, &request.mission, sizeof request.mission);\n", "", "e2e/test_statement_cache", False),
    ("cache-path", "the search path, for what was judged before", "proxy/judging.c", "    for (size_t i = 0; i < request.path_count; i++)\n", "    for (size_t i = 0; i < 0; i++)\n",
     "e2e/test_statement_cache", False),
    ("cache-types", "parameter types, for what was judged before", "proxy/statement_cache.c", "    buf_append(out, key->types, key->type_count * sizeof *key->types);\n", "",
     "unit/test_statement_cache|e2e/test_statement_cache", False),
    ("cache-kinds", "statements that depend on the session are not kept", "proxy/statement_cache.c", "        if (!kind_fits(verdict->statements[i].kind))", "        if (verdict->unrestricted && !kind_fits(verdict->statements[i].kind))",
     "unit/test_statement_cache", False),
    ("alike-place", "places where a constant's value may mean something", "policy/judge_constants.c", "    return find_below(finding, message, false);\n}", "    return find_below(finding, message, true);\n}",
     "golden/test_alike", False),
    ("alike-copied", "constants that are sent twice", "policy/judge_constants.c", "judge->copied > 0 ||", "false ||", "golden/test_alike", False),
    ("alike-fixed", "values that matter are part of what was judged", "proxy/statement_cache.c", "        if (free[i])\n            continue;", "        if (free != NULL)\n            continue;", "unit/test_statement_cache", False),
    ("alike-quote", "what a string is that a word stands before", "policy/constants.c", "    return next != '\\'' && next != '\"' && next != '&' && !runs_on(next);", "    return !runs_on(next);", "golden/test_alike", False),
    # ---- whose rows left
    ("subject-whole", "whole rows and stars keep a relation without the hidden column", "policy/judge_subject.c", "    if (item->wholes != stars ||", "    if (item->wholes == SIZE_MAX ||", "golden/test_judge|e2e/test_subjects", False),
    ("subject-natural", "NATURAL JOIN keeps its level without the hidden column", "policy/judge_subject.c", "        level->natural)\n        return CARRY_NOTHING;", "        false)\n        return CARRY_NOTHING;", "golden/test_judge|e2e/test_subjects", False),
    ("subject-aliased", "a list of column aliases keeps a relation without it", "policy/judge_subject.c", "item->hidden || item->aliased || item->emitted == NULL", "item->hidden || item->emitted == NULL", "golden/test_judge|e2e/test_subjects", False),
    ("subject-twice", "a CTE that is read twice is not carried out", "policy/judge_subject.c", "item->below->references == 1 &&", "item->below->references >= 1 &&", "golden/test_judge|e2e/test_subjects", False),
    ("subject-group", "grouped statements are not read as if their rows were somebody's", "policy/judge_subject.c", "bool groups = select->n_group_clause > 0 || select->having_clause != NULL || level->groups;", "bool groups = false;", "golden/test_judge|e2e/test_subjects", False),
    ("subject-bound", "groups are collected in missions that say so only", "policy/judge_subject.c", "(subject_bound(judge) > 0 && !reads_catalogs(judge))", "!reads_catalogs(judge)", "golden/test_judge|e2e/test_subjects", False),
    ("subject-aggregate", "only an aggregate that is the level's own makes it one of groups", "policy/judge_function.c", "    if (aggregate && groups_level(judge, call))", "    if (aggregate)", "golden/test_judge|e2e/test_subjects", False),
    ("subject-distinct", "DISTINCT is not left beside the column in front", "policy/judge_subject.c", "    if (!is_plain_distinct(select))\n        return CARRY_ROWS;", "    if (true)\n        return CARRY_ROWS;", "golden/test_judge|e2e/test_subjects", False),
    ("subject-sorted", "DISTINCT is sorted by what is output", "policy/judge_subject_list.c", "subject_shown(carry) < TARGETS_MAX && sorts_by_output(carry);", "subject_shown(carry) < TARGETS_MAX;", "golden/test_judge|e2e/test_subjects", False),
    ("subject-arms", "arms of UNION ALL have a column of their own", "policy/judge_subject_set.c", "        first += arm->count;", "        first += 0;", "golden/test_judge|e2e/test_subjects", False),
    ("subject-union", "rows of UNION are collected where the mission says so only", "policy/judge_subject.c", "    return subject_bound(judge) > 0 && !reads_catalogs(judge) && subject_set", "    return subject_set", "golden/test_judge|e2e/test_subjects", False),
    ("subject-set-all", "INTERSECT ALL and EXCEPT ALL are not carried", "policy/judge_subject.c", "    if (carry->select->all)\n        return false;", "    if (false)\n        return false;", "golden/test_judge|e2e/test_subjects", False),
    ("subject-except", "who is missing from the second arm of EXCEPT is told by nobody's row", "policy/judge_subject.c", "        keep_silent(carry->arms[1]);\n        right = 0;", "", "golden/test_judge|e2e/test_subjects", False),
    ("subject-sets-sorted", "set operations are sorted by their columns only", "policy/judge_subject_set.c", "        if (!found)\n            return false;", "", "golden/test_judge|e2e/test_subjects", False),
    ("subject-arm", "rows of INTERSECT are in both arms", "policy/judge_subject_set.c", " AND NOT pg_catalog.bool_and(\" ROWS \".\\\"\" SUBJECT_ARM \"\\\")", "", "golden/test_judge|e2e/test_subjects", False),
    ("view-subject-many", "a view whose rows are of many tells of nobody", "policy/guard_view.c", "!builtin || functions_aggregate(name) || call->over != NULL", "!builtin", "unit/test_guard", False),
    ("view-subject-inner", "a view with a sub-query tells of nobody", "policy/guard_view.c", "        if (expansion->subject) {\n            fail(expansion, DENIED, NULL); /*", "        if (false) {\n            fail(expansion, DENIED, NULL); /*", "unit/test_guard", False),
    ("view-subject-lists", "a view's subjects are read as a list", "policy/resolve.c", "strcmp(told->columns[told->column_count - 1], GUARD_SUBJECTS_COLUMN) == 0;", "false;", "e2e/test_subjects", False),
    ("view-function", "a view calls only what a client may call", "policy/guard_view.c", "    if (!allowed) {", "    if (!allowed && !builtin) {", "unit/test_guard", False),
    ("view-cast", "a view with a cast by a function is left out", "policy/guard_view.c", "    if (relation->function_count > expansion->function_count) {", "    if (relation->function_count > 1000) {", "unit/test_guard", False),
    ("view-renamed", "a guard is of the relation that has its name", "proxy/deploy.c", "    return strtoul(base, NULL, 10) == view->relation->oid;", "    return base != NULL && view != NULL;", "e2e/test_deploy", False),
    ("view-cast-later", "a view that a later cast would change is left out", "policy/guard_view.c", "    if (known->castable) {", "    if (known->castable && known->name[0] == 0) {", "e2e/test_subjects", False),
    ("view-gone", "the guard of a view that is gone goes with it", "proxy/deploy.c", "\"JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid AND r.rulename", "\"JOIN pg_catalog.pg_class b ON b.oid = s.base JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid AND r.rulename", "e2e/test_deploy", False),
    ("subject-casts", "what a cast by a function of the database's reads is not in the text", "policy/judge_subject.c", "out->subjects_open = judge->calls_foreign_function || may_cast(judge) ||", "out->subjects_open = judge->calls_foreign_function ||", "e2e/test_subjects", False),
    ("copy-from-subjects", "rows that COPY inserts are told", "policy/judge_copy_from.c", "    bool told = item->subject != NULL;", "    bool told = false;", "golden/test_judge|e2e/test_subjects", False),
    ("subject-with", "what WITH writes is told where it is read whole", "policy/judge_subject.c", "(!item->below->writes || subject_loses_nothing(carry));", "true;", "golden/test_judge|e2e/test_subjects", False),
    ("subject-sets-give", "a function in the list may lose the row that WITH wrote", "policy/judge_subject_list.c", "functions_aggregate(name) && call->over == NULL", "call->over == NULL", "golden/test_judge|e2e/test_subjects", False),
    ("subject-set-null", "what stands for others' subjects does not count for the bound", "policy/judge_subject_text.c", "FILTER (WHERE %s IS NOT NULL)", "FILTER (WHERE %s IS NULL OR true)", "golden/test_judge|e2e/test_subjects", False),
    ("subject-for", "COLLATION FOR ends no level", "policy/judge_subject_list.c", "(kind == PG_QUERY__TOKEN__FOR && next == PG_QUERY__TOKEN__ASCII_40)", "(next == -1)", "e2e/test_subjects", False),
    ("subject-on", "DISTINCT ON by number counts the columns in front", "policy/judge_subject_text.c", "shift(judge, carry, select->distinct_clause, select->n_distinct_clause)", "OK", "golden/test_judge|e2e/test_subjects", False),
    ("subject-over", "a group of more than the bound is called aggregate", "proxy/record.c", "request->over_limit || request->inexact ||", "request->over_limit ||", "e2e/test_subjects", False),
    ("subject-over-next", "the next statement of a text is exact again", "proxy/result.c", "        head->inexact = head->named = false;", "        head->named = false;", "e2e/test_subjects", False),
    ("subject-lists", "rows of groups are read as lists", "policy/judge_subject.c", "    return carry->kind == CARRY_ROWS ? lists : ((uint32_t)1 << carry->count) - 1;", "    return lists;", "golden/test_judge|e2e/test_subjects", False),
    ("subject-parts", "one row's patients go into as many records as they need", "proxy/subjects.c", "        part.number_count = SUBJECTS_RECORD_MAX;", "        part.number_count += 0;", "unit/test_subjects|e2e/test_subjects", False),
    ("subject-first-piece", "a long row waits until its subjects are there", "proxy/server.c", "             !result_subjects_are_in(server->session, buf_head(&server->in), have)))", "             false))", "e2e/test_subjects", False),
    ("subject-ordered", "what follows the order of rows is not grouped another way", "policy/judge_subject.c", "!is_plain_distinct(select) && !order_matters(judge, level, select) ? CARRY_GROUPS", "!is_plain_distinct(select) ? CARRY_GROUPS", "golden/test_judge|e2e/test_subjects", False),
    ("subject-star-bare", "a star in parentheses is not written out", "policy/judge_subject_list.c", "!star_is_bare((*carry->targets)[i]->res_target) ||", "", "golden/test_judge|e2e/test_subjects", False),
    ("subject-places", "a constant of pgvigil's is not looked for in the client's text", "policy/judge_subject_text.c", "    tree_forget_places(&tree->stmts[0]->stmt->base);\n", "", "golden/test_alike|unit/test_judge_limits", False),
    ("copy-subjects-data", "COPY's rows lose what is in front", "proxy/result_rows.c", "    else if (status == OK && copy_out_data(head, *body, *len, &data))", "    else if (false)", "e2e/test_subjects", False),
    ("copy-subjects-response", "CopyOutResponse counts the client's columns", "proxy/result.c", "    if (hidden.count > 0 && copy_undescribe(hidden, &body, &message->len) != OK)", "    if (false)", "e2e/test_subjects", False),
    ("copy-subjects-letters", "no letter separates a subject in CSV", "policy/judge_copy.c", "return letter && !letters ? '\\0' : byte;", "return byte;", "golden/test_judge|e2e/test_subjects", False),
    ("copy-subjects-names", "the line of column names has nobody in it", "proxy/copy_subjects.c", "i < shape.count && !names; i++", "i < shape.count; i++", "unit/test_copy_subjects|e2e/test_subjects", False),
    ("cursor-index", "a cursor that the protocol executes is its own statement", "proxy/extended.c", "execution.index = cursor != NULL ? cursor->index : 0;", "execution.index = 0;", "e2e/test_subjects", False),
    ("tie-or", "only what AND joins ties a sub-query", "policy/judge_tie.c", "boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR", "boolop != PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR", "golden/test_judge|e2e/test_subjects", False),
    ("tie-told", "a tie counts to a relation that is told", "policy/judge_tie.c", "if ((!from->carried && !from->tied) || to->carried", "if (to->carried", "golden/test_judge|e2e/test_subjects", False),
    ("tie-direction", "a term tells of its own level's relations only", "policy/judge_tie.c", "is_own(judge->level, a) ? add(judge, b, a) : OK;", "add(judge, b, a);", "golden/test_judge|e2e/test_subjects", False),
    ("tie-using", "a bare name behind USING ties nothing", "policy/judge_named.c", "            return strictly && (!known || count > 1) ? NULL : found;", "            return found;", "e2e/test_subjects", False),
    ("tie-in", "IN ties as a term of WHERE only", "policy/judge_tie.c", "return in && is_term(judge, link) ?", "return in ?", "golden/test_judge|e2e/test_subjects", False),
    ("tie-limit", "IN over rows that are cut off is no tie", "policy/judge_tie.c", "        select->limit_count != NULL || select->limit_offset != NULL || *carry", "        *carry", "golden/test_judge|e2e/test_subjects", False),
    ("tie-subject", "only equal subjects tie", "policy/judge_tie.c", "return judge_shows_subject(judge, inner, scope_column(inner, name), &kind)", "return judge_shows_subject(judge, inner, scope_column(inner, name), &kind) || true", "golden/test_judge|e2e/test_subjects", False),
    ("named-masked", "what a pseudonym is compared with is nobody's number", "policy/judge_named.c", "                    ->kind == MASK_SHOW);", "                    ->kind != MASK_HIDE);", "e2e/test_subjects", False),
    ("named-column", "only the subject's own column names somebody", "policy/judge_named.c", "    if (strcmp(name, use->shown.table->subject_column) != 0 || of == NULL ||", "    if (of == NULL ||", "golden/test_judge|e2e/test_subjects", False),
    ("named-alike", "a text that was not judged itself names its own", "proxy/named.c", "        if (again && named->constant < constants.count)", "        if (false)", "golden/test_alike|e2e/test_subjects", False),
    ("named-bound", "each portal names whom its own parameters are", "proxy/record.c", "bound != NULL && bound->named != NULL", "false", "e2e/test_subjects", False),
    ("named-only", "a bare name of two relations names nobody", "policy/judge_named.c", "        if (!item->columns.known || (at >= 0 && found != NULL))\n            return NULL;", "", "e2e/test_subjects", False),
    ("subject-exact", "a mission that asks for it refuses what does not tell", "policy/judge_subject.c", "    return status == OK && out->subjects_open ? accept_open(judge) : status;", "    return status;", "golden/test_judge|e2e/test_subjects", False),
    ("subject-order", "ORDER BY by number counts the columns in front", "policy/judge_subject_text.c", "ival += (int32_t)subject_hidden(carry);", "ival += 0;", "golden/test_judge|e2e/test_subjects", False),
    ("subject-named", "no client can name the hidden column", "policy/judge_column.c", "    if (ref.column != NULL && judge_is_own_name(ref.column))", "    if (false)", "golden/test_judge|e2e/test_subjects", False),
    ("subject-open", "what is read beside the rows is said", "policy/judge_subject.c", "judge->subjects_read > judge->subjects_carried + judge_tied(judge) ||", "judge->subjects_read > judge->subjects_carried + judge_tied(judge) + 9 ||", "golden/test_judge|e2e/test_subjects", False),
    ("subject-execute", "EXECUTE and FETCH give what another statement carries", "proxy/result_rows.c", "use->statement != NULL && use->kind != USE_DECLARES;", "use->statement != NULL && use->kind == USE_DECLARES;", "e2e/test_subjects", False),
    ("subject-formats", "formats one by one are given for what is in front too", "proxy/extended.c", "    if (subjects > 0 && bind->result_format_count > 1) {", "    if (subjects > 1000 && bind->result_format_count > 1) {", "e2e/test_subjects", False),
    ("subject-hidden-rows", "rows that the client did not ask for are not shown", "proxy/result_rows.c", "    return statement != NULL && statement->subjects > 0 && statement->subjects_only;", "    return statement != NULL && statement->subjects > 1000;", "e2e/test_subjects", False),
    ("subject-before", "patients are on record before their rows leave", "proxy/record.c", "    if (named != OK || (first && session->subjects == NULL))", "    if (named != OK || first)", "e2e/test_subjects", False),
    ("subject-rising", "subjects that come in any order are sorted", "proxy/subjects.c", "        subjects->rising = false;\n    subjects->numbers", "        subjects->rising = true;\n    subjects->numbers",
     "unit/test_subjects", False),
    ("fetch-bound", "a FETCH reads what it was bound for", "proxy/use.c", "if (bound == NULL || !reads_the_same(bound, session->pending_uses))", "if (bound == NULL)",
     "e2e/test_cursors", False),
    ("subject-left", "one statement's patients are not the next one's", "proxy/record.c", "    subjects_clear(session->subjects);\n    if (worker", "    if (worker", "e2e/test_subjects", False),
    ("idle-look", "a server connection that ended while idle is given to nobody", "proxy/pool.c", "if (sockets[i].revents != 0 && servers[i]->state == SERVER_IDLE)", "if (sockets[i].revents != 0 && servers[i]->state == SERVER_CLOSED)",
     "e2e/test_idle_servers", False),
    ("commit-hold", "results wait for the disk", "proxy/commit.c", "        session_hold(session);\n", "        session_hold(session);\n        session_settle_held(session, true);\n        session_write(session);\n",
     "e2e/test_group_commit", False),
    ("commit-marked", "what comes during a flush waits for the next", "proxy/outbox.c", "        outbox->safe = outbox->marked;", "        outbox->safe = outbox->covered;", "e2e/test_group_commit", False),
    ("commit-waits", "a write waits for the flush of its own record", "proxy/commit.c", "session->held.waits || !flushed", "true", "e2e/test_group_commit", False),
    ("commit-failed", "what a failed sync was to cover is withheld", "proxy/commit.c", "    bool flushed = worker_flushed(worker, audit_flush_end(worker->audit));", "    bool flushed = worker_flushed(worker, audit_flush_end(worker->audit)) || true;",
     "e2e/test_group_commit", False),
    ("commit-later", "what was appended during a sync that failed", "proxy/commit.c", "    if (!flushed)\n        settle_unflushed(worker, false);", "    (void)flushed;", "e2e/test_group_commit", False),
    ("undone-told", "what a failed commit undoes", "proxy/undone.c", "    if (session->tx != 'I' || undone->sqlstate[0] == '\\0') {", "    if (true) {", "e2e/test_undone", False),
    ("undone-lost", "what a lost connection leaves open", "proxy/undone.c", "    if (session->undone.writes == 0)\n        return OK;\n    char detail[160];", "    if (true)\n        return OK;\n    char detail[160];", "e2e/test_undone", False),
    # ---- what an idle session does not hold
    ("texts-compare", "a place of words is one session's", "proxy/texts.c", "    if (place->session == session)\n        return place;", "    if (place->session != NULL)\n        return place;",
     "e2e/test_texts", False),
    ("texts-encoded", "who is put out of a place loses its words", "proxy/texts.c", "        place->session->who.encoded = (struct audit_text){0};", "        (void)place->session->who.encoded;",
     "e2e/test_texts", False),
    ("socket-flags", "what was told of another's socket is forgotten", "proxy/transport.c", "    if (transport->owned)\n        BIO_clear_retry_flags(SSL_get_rbio(transport->ssl));\n", "",
     "unit/test_transport", False),
    ("plan-world", "a plan of before a column's type changed is not what is prepared afterwards", "proxy/statement.c", "        EVP_DigestUpdate(context, &world, sizeof world) == 1 &&\n", "        world + 1 > 0 &&\n",
     "e2e/test_ddl$", False),
    ("plan-renamed", "who prepared before hears that the rows have another type", "proxy/statement.c", "    if (same)\n        memcpy(statement->server_name, before->server_name,", "    if (same && false)\n        memcpy(statement->server_name, before->server_name,",
     "e2e/test_ddl$", False),
    ("start-kept", "RESET goes back to the start", "proxy/mission.c", "    if (session->start != NULL)\n        return OK;", "    if (session != NULL)\n        return OK;",
     "e2e/test_mission_transactions|e2e/test_shared_logins", False),
    ("dialect-name", "a text is another statement to who reads its constants otherwise", "proxy/statement.c", "    dialect_name(&statement->dialect, judged->hashed_name, statement->server_name);", "    memcpy(statement->server_name, judged->hashed_name, sizeof statement->server_name);",
     "e2e/test_dialects|unit/test_dialect", False),
    ("dialect-unnamed", "the unnamed statement is not another's who reads it otherwise", "proxy/extended.c", "               dialect_same(&server->unnamed_dialect, &statement->dialect) &&\n", "",
     "e2e/test_dialects", False),
    ("dialect-floats", "how a plan writes floats", "policy/settings.c", '"default_transaction_read_only",\n', '"default_transaction_read_only", "extra_float_digits",\n', "e2e/test_lookups", False),
    ("dialect-undone", "a setting that may be undone", "proxy/dialect.c", "    if (session->dialects.open)", "    if (false)", "e2e/test_dialects", False),
    ("dialect-set", "what is set after the start", "proxy/dialect.c", "            (one->setting != NULL && !setting_reads_constants(one->setting)))", "            one->setting != NULL)", "e2e/test_dialects", False),
    ("dialect-reread", "what PostgreSQL reads anew under SET LOCAL", "proxy/extended.c", "        session->server->reread = true;", "        (void)0;", "e2e/test_dialects", False),
    # ---- simple queries by primary key
    ("lookup-key", "the whole primary key is named", "policy/judge_lookup.c", "        if (!lookup.named[i])\n            return OK;", "        if (!lookup.named[i] && i > 0)\n            return OK;", "e2e/test_lookups", False),
    ("lookup-masked", "the key is shown as it is", "policy/judge_lookup.c", "            MASK_SHOW)\n        return SIZE_MAX;", "            MASK_HIDE + 100)\n        return SIZE_MAX;", "e2e/test_lookups", False),
    ("lookup-children", "a table with children has more rows of a key", "policy/judge_lookup.c", "relation->kind == 'r' && !relation->has_children &&", "relation->kind == 'r' &&", "e2e/test_lookups", False),
    ("lookup-alone", "FROM is one table", "policy/judge_lookup.c", "carry->select != select || carry->item_count != 1)", "carry->select != select)", "e2e/test_lookups", False),
    ("lookup-and", "a condition that must be true by itself", "policy/judge_lookup.c", "        node->bool_expr->boolop != PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR)", "        node->bool_expr->boolop == PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR)", "e2e/test_lookups", False),
    ("lookup-moment", "statement_timestamp() tells how it came", "policy/judge_lookup.c", "strcmp(name, \"statement_timestamp\") == 0)", "strcmp(name, \"\") == 0)", "e2e/test_lookups", False),
    ("lookup-domain", "the key's own type", "policy/judge_lookup.c", "    *type = column->type;", "    *type = column->base_type;", "e2e/test_lookups", False),
    ("lookup-strings", "texts with strings", "proxy/lookup.c", "                !dialect_has_strings(lookup->text.sql, lookup->text.len) &&\n", "", "e2e/test_lookups", False),
    ("lookup-long", "names of which PostgreSQL says that they are cut", "proxy/lookup.c", "                !has_long_name(lookup->text.sql, lookup->text.len) &&", "                lookup->text.len > 0 &&", "e2e/test_lookups", False),
    ("lookup-view", "what a view calls is not in the text", "policy/judge_lookup.c", "!reads_tables(judge) ||", "(reads_tables(judge) && false) ||", "e2e/test_lookups", False),
    ("lookup-dialect", "a plan that was made by another setting", "proxy/lookup.c", "    dialect_name(&session->dialects.now, statement->lookup->name, name);", "    memcpy(name, statement->lookup->name, sizeof name);", "e2e/test_lookups", False),
    ("lookup-stale", "plans that do not fit their tables any more", "proxy/result.c", "    session->worker->stale_world = session->world->id;\n", "", "e2e/test_lookups", False),
    ("lookup-places", "places of worlds that are gone", "proxy/lookup.c", "        server->lookups = server->lookups_missed = 0;\n", "        server->lookups_missed = 0;\n", "e2e/test_lookups", False),
    ("lookup-others", "what is not of the key is as it was", "proxy/lookup.c", "    if (lookup == NULL || !others_are_the_same(statement, origin, constants))", "    if (lookup == NULL)", "e2e/test_lookups|golden/test_alike", False),
    ("lookup-named", "a plan of before a column's type changed", "proxy/statement.c", "        EVP_DigestUpdate(context, &world, sizeof world) == 1 &&\n", "        world + 1 > 0 &&\n", "e2e/test_lookups", False),
    ("lookup-alike", "what is sent behind a Parse that may fail", "proxy/lookup.c", "(has_place(session) && query_nothing_before(session));", "has_place(session);", "e2e/test_lookups", False),
    ("lookup-close", "no portal stays open in a transaction", "proxy/lookup.c", "    if (session->tx != 'I' || !query_nothing_before(session)) {", "    if (false) {", "e2e/test_lookups", False),
    ("lookup-ahead", "nor behind a BEGIN that is not answered", "proxy/lookup.c", "    if (session->tx != 'I' || !query_nothing_before(session)) {", "    if (session->tx != 'I') {", "e2e/test_lookups", False),
    ("lookup-position", "an error's place in the client's text", "proxy/lookup.c", "            here = here - len + text_characters(", "            here = here + 0 * text_characters(", "e2e/test_lookups", False),
    ("lookup-digits", "strings that are no number, or too large a one", "proxy/lookup.c", "    return len > 0 && i == len;", "    return len > 0 || i == len;", "e2e/test_lookups", False),
    ("lookup-uuid", "strings that are no uuid", "proxy/lookup.c", "        return text_is_uuid(text, len);", "        return len > 0 || text_is_uuid(text, len);", "e2e/test_lookups", False),
    ("lookup-quotes", "quotes in a string are doubled", "proxy/lookup.c", "        i += from == 1 && token[i] == '\\'' ? 1 : 0;\n", "", "e2e/test_lookups", False),
    ("lookup-types", "texts that are alike but for the parameters' types", "proxy/statement.c", "        EVP_DigestUpdate(context, text->types, text->type_count * sizeof *text->types) == 1 &&\n", "        text->types + 1 > text->types &&\n", "e2e/test_lookups", False),
    ("lookup-array", "an array of a type is another type", "policy/judge_lookup.c", "        if (catalog_type_is(type, keys[i].type))", "        if (strncmp(type, keys[i].type, strlen(keys[i].type)) == 0)", "e2e/test_lookups", False),
    ("skip-order", "what failed is undone last", "proxy/result.c", "    requests_skip_group(&session->requests, skip_request, session);\n    enum status status = undo_names(session, &failed);",
     "    enum status status = undo_names(session, &failed);\n    requests_skip_group(&session->requests, skip_request, session);", "e2e/test_prepare", False),
    ("disused-close", "what is closed does not stay in PostgreSQL", "proxy/disused.c", "if (count < PREPARED_MAX || ", "if (count > 0 || ", "e2e/test_disused", False),
    ("disused-flush", "an answer given here does not wait for the server's", "proxy/result.c",
     "        session_settle_ahead(session);\n    /* An answer given here may have waited for it, and no other comes of the server's. */\n    worker_touch(session->worker, session);\n",
     "        session_settle_ahead(session);\n", "e2e/test_disused", False),
    ("disused-group", "what is closed in a group does not end it", "proxy/disused.c", "request->in_group = session->group_forwarded;", "request->in_group = false;",
     "e2e/test_disused", False),
    ("disused-needed", "what is open stays there", "proxy/disused.c", "map_get(needed, name, len) != NULL;", "false;", "e2e/test_disused", False),
    ("lookup-anew", "one client does not keep all places", "proxy/server.c", " || lookup_wants_places(server);", ";", "e2e/test_lookups", False),
    ("lookup-limit", "how many of them", "proxy/lookup.c", "if (server->lookups < places)", "if (server->lookups < places + 1000)", "e2e/test_lookups", False),
    ("stop-cancels", "cancels that are queued when pgvigil stops", "proxy/connector.c", "        if (late || upstream_cancel_run", "        if (stopping || upstream_cancel_run", "e2e/test_cancel", False),
    ("token-private", "keys that can sign", "proxy/token_keys.c", "if (strstr(name, \"PRIVATE KEY\") != NULL)", "if (false)", "unit/test_token", False),
]


def run(args, timeout, log):
    with open(log, "ab") as out:
        try:
            return subprocess.run(args, stdout=out, stderr=out, stdin=subprocess.DEVNULL, timeout=timeout).returncode
        except subprocess.TimeoutExpired:
            return 124


def prepare():
    """The tree as it is, in a copy, built once."""
    tree = BUILD / "tree"
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    tree.mkdir(parents=True, exist_ok=True)
    for name in filter(None, listed):
        source, target = ROOT / name, tree / name
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copy(source, target)  # with the time of now, or what was built before looks newer
    for folder in ("base", "policy", "proxy", "audit", "tools", "include", "tests"):
        for path in (tree / folder).rglob("*.[ch]"):
            if str(path.relative_to(tree)) not in listed:
                path.unlink()
    log = BUILD / "build.log"
    log.unlink(missing_ok=True)
    # As a release, but for the server's link as a whole, which would take most of a mutant's time. The first failure tells it.
    if run(["cmake", "-S", str(tree), "-B", str(BUILD / "out"), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_C_FLAGS=-O2 -DNDEBUG", "-DPGVIGIL_WERROR=OFF", "-DPGVIGIL_MAXFAIL=1"], 300, log) != 0 or \
            run(["cmake", "--build", str(BUILD / "out")], 1200, log) != 0:
        sys.exit("the tree itself does not build: %s" % log)
    return tree


def run_tests(tests, log):
    return run(["ctest", "--test-dir", str(BUILD / "out"), "-R", tests, "--output-on-failure", "--stop-on-failure", "--no-tests=error", "--timeout", "600"], 1800, log)


def sound_without(tests, known={}):
    """Do these tests pass while nothing is disabled? Else a failure says nothing."""
    if tests not in known:
        known[tests] = run(["cmake", "--build", str(BUILD / "out")], 900, BUILD / "build.log") == 0 and run_tests(tests, BUILD / "sound.log") == 0
    return known[tests]


def try_mutant(tree, mutant):
    """"killed by TEST", "survived", or what went wrong."""
    name, _, file, old, new, tests, _ = mutant
    path = tree / file
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        return "stale: %d places in %s" % (text.count(old), file)
    log = BUILD / (name + ".log")
    log.unlink(missing_ok=True)
    if not sound_without(tests):
        return "not tried: %s fails as it is" % tests
    try:
        path.write_text(text.replace(old, new), encoding="utf-8")
        if run(["cmake", "--build", str(BUILD / "out")], 900, log) != 0:
            return "does not build"
        status = run_tests(tests, log)
    finally:
        path.write_text(text, encoding="utf-8")
    if status == 0:
        return "survived"
    failed = [line.split()[3] for line in log.read_text(errors="replace").splitlines() if "***" in line and "Test" in line and len(line.split()) > 3]
    return "killed by " + (failed[0] if failed else "a build or a crash")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--table", action="store_true", help="print the recorded results as a table")
    options = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    record = BUILD / "results.json"
    results = json.loads(record.read_text()) if record.exists() else {}
    if options.table:
        print("| mutant | what is disabled | where | outcome | second wall stops it too |\n|---|---|---|---|---|")
        for name, what, file, _, _, _, wall in MUTANTS:
            print("| %s | %s | %s | %s | %s |" % (name, what, file, results.get(name, "not run"), "yes" if wall else "no"))
        return 0
    tree = prepare()
    chosen = [m for m in MUTANTS if not options.names or m[0] in options.names]
    for number, mutant in enumerate(chosen):
        started = time.monotonic()
        results[mutant[0]] = outcome = try_mutant(tree, mutant)
        record.write_text(json.dumps(results, indent=1))
        print("[%d/%d] %s: %s (%.0f s)" % (number + 1, len(chosen), mutant[0], outcome, time.monotonic() - started), flush=True)
    bad = [m[0] for m in chosen if not results[m[0]].startswith("killed")]
    print("%d mutants, %d killed%s" % (len(chosen), len(chosen) - len(bad), ": not " + ", ".join(bad) if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    os.environ.setdefault("CMAKE_C_COMPILER_LAUNCHER", "ccache") if shutil.which("ccache") else None
    sys.exit(main())
