/*
 * replay.c: judging the statements of a log (see replay.h).
 *
 * Trust boundary: texts and names of the log are those of whoever could send a statement. They are
 * judged and never printed; what is kept for the report is normalised.
 *
 * A session's search_path is followed by its own SETs, as far as a log can tell of them: errors and
 * savepoints are not looked at.
 */
#include "tools/replay.h"

#include <pgvigil/map.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Past these everything is forgotten, and begins anew. */
#define CACHE_BYTES   ((size_t)64 << 20)
#define SESSION_BYTES ((size_t)16 << 20)

/* Names one behind the other, each with its NUL. */
struct path {
    const char *names;
    size_t len;
};

enum path_op_kind { PATH_SET, PATH_SET_LOCAL, PATH_RESET, PATH_BEGIN, PATH_COMMIT, PATH_ROLLBACK };

struct path_op {
    enum path_op_kind kind;
    struct path path; /* of SET */
};

/* What is kept of a judged text. */
struct known {
    struct report_finding *findings;
    size_t count;
    bool allowed;
    bool unparsed;
    const char *sqlstate;
    const char *sql;
    const char *fingerprint;
    struct path_op *ops;
    size_t op_count;
};

struct log_session {
    struct path path;
    struct path begun; /* what it was at BEGIN */
    bool block;
    bool local; /* what it is ends with the transaction */
};

struct replay {
    const struct policy *policy;
    const struct observer *observer;
    const struct replay_options *options;
    struct arena *own;     /* what stays */
    struct arena *scratch; /* of one statement */
    struct arena *cache_arena;
    struct map *cache;
    size_t key_bytes; /* of which the map has copies */
    struct arena *session_arena;
    struct map *sessions;
    struct path start;
    struct buf key;
    uint64_t kept;
};

static struct path make_path(struct arena *arena, const char *const *names, size_t count)
{
    struct buf out;
    struct path path = {"", 0};
    buf_init(&out, 0);
    for (size_t i = 0; i < count; i++)
        if (names[i] != NULL && names[i][0] != '\0' && strcmp(names[i], "$user") != 0)
            buf_cstr(&out, names[i]);
    if (!out.failed && buf_len(&out) > 0) {
        char *copy = arena_alloc(arena, buf_len(&out));
        if (copy != NULL) {
            memcpy(copy, buf_head(&out), buf_len(&out));
            path = (struct path){copy, buf_len(&out)};
        }
    }
    buf_free(&out);
    return path;
}

struct replay *replay_new(const struct policy *policy, const struct observer *observer,
                          const struct replay_options *options)
{
    struct replay *replay = calloc(1, sizeof(*replay));
    if (replay == NULL)
        return NULL;
    replay->policy = policy;
    replay->observer = observer;
    replay->options = options;
    replay->own = arena_new(0);
    replay->scratch = arena_new(0);
    replay->cache_arena = arena_new(0);
    replay->session_arena = arena_new(0);
    replay->cache = map_new();
    replay->sessions = map_new();
    buf_init(&replay->key, 0);
    if (replay->own != NULL)
        replay->start = make_path(replay->own, options->path, options->path_count);
    if (replay->own == NULL || replay->scratch == NULL || replay->cache_arena == NULL ||
        replay->session_arena == NULL || replay->cache == NULL || replay->sessions == NULL) {
        replay_free(replay);
        return NULL;
    }
    return replay;
}

void replay_free(struct replay *replay)
{
    if (replay == NULL)
        return;
    map_free(replay->cache);
    map_free(replay->sessions);
    arena_free(replay->own);
    arena_free(replay->scratch);
    arena_free(replay->cache_arena);
    arena_free(replay->session_arena);
    buf_free(&replay->key);
    free(replay);
}

uint64_t replay_kept(const struct replay *replay)
{
    return replay->kept;
}

/* ---- whose statement it is ---- */

struct who {
    const struct policy_user *user;
    int role;
    int mission;
    struct report_who names;
    struct report_finding refused; /* kind REPORT_REFUSED with a reason: there can be no session */
};

static void no_session(struct who *who, const char *reason, const char *object, const char *hint)
{
    who->refused = (struct report_finding){.reason = reason, .object = object, .hint = hint};
}

static const struct replay_login *login_of(const struct replay *replay,
                                           const struct logread_entry *entry)
{
    const struct replay_options *options = replay->options;
    for (size_t i = 0; i < options->login_count; i++) {
        const char *login = options->logins[i].login;
        if (login == NULL || (entry->user != NULL && strcmp(login, entry->user) == 0))
            return &options->logins[i];
    }
    return NULL;
}

static void choose(const struct replay *replay, const char *user, const char *role,
                   const char *mission, struct who *who)
{
    const struct policy *policy = replay->policy;
    who->names.user = user;
    who->names.role = role;
    who->names.mission = mission;
    who->user = user == NULL ? NULL : policy_find_user(policy, user);
    if (who->user == NULL) {
        no_session(who, "user", user == NULL ? "(none)" : user,
                   "The policy has no such user: add one, or say whose statements these are "
                   "(--map, --user).");
        return;
    }
    if (who->user->on_behalf != NULL && who->user->on_behalf->absent < 0) {
        no_session(who, "user", user,
                   "This login acts for others and may do nothing by itself: say whose statements "
                   "these are (--map, --user).");
        return;
    }
    who->role = role == NULL ? (int)who->user->roles[0] : policy_find_role(policy, role);
    if (who->role < 0 || !policy_user_has_role(who->user, who->role)) {
        no_session(who, "role", role, "The policy does not give the user this role.");
        return;
    }
    who->names.role = policy->roles[who->role].name;
    who->mission = mission == NULL ? policy->roles[who->role].default_mission
                                   : policy_find_mission(policy, mission);
    if (mission != NULL && !policy_role_has_mission(policy, who->role, who->mission))
        no_session(who, "mission", mission, "The policy does not give the role this mission.");
    else
        who->names.mission = who->mission < 0 ? NULL : policy->missions[who->mission].name;
}

static void find_who(const struct replay *replay, const struct logread_entry *entry,
                     struct who *who)
{
    *who = (struct who){.role = -1, .mission = -1};
    const struct replay_login *login = login_of(replay, entry);
    if (login != NULL)
        choose(replay, login->user, login->role, login->mission, who);
    else
        choose(replay, entry->user, entry->role, entry->mission, who);
    who->names.application = entry->application;
}

/* ---- search_path ---- */

static struct log_session *session_of(const struct replay *replay,
                                      const struct logread_entry *entry)
{
    return entry->session == NULL ? NULL : map_get_str(replay->sessions, entry->session);
}

static struct path path_of(const struct replay *replay, const struct logread_entry *entry)
{
    const struct log_session *session = session_of(replay, entry);
    return session == NULL ? replay->start : session->path;
}

static enum status follow_op(struct replay *replay, struct log_session *session,
                             const struct path_op *op)
{
    switch (op->kind) {
    case PATH_BEGIN:
        session->begun = session->path;
        session->block = true;
        session->local = false;
        return OK;
    case PATH_COMMIT:
    case PATH_ROLLBACK:
        if (session->block && (op->kind == PATH_ROLLBACK || session->local))
            session->path = session->begun;
        session->block = session->local = false;
        return OK;
    case PATH_RESET:
        session->path = replay->start;
        session->local = false;
        return OK;
    case PATH_SET_LOCAL:
        if (!session->block)
            return OK;
        session->local = true;
        break;
    case PATH_SET:
        session->local = false;
        break;
    }
    char *copy = arena_alloc(replay->session_arena, op->path.len);
    if (copy == NULL)
        return ERR_MEMORY;
    memcpy(copy, op->path.names, op->path.len);
    session->path = (struct path){copy, op->path.len};
    return OK;
}

/* BEGIN and COMMIT say nothing as long as no path was set: most sessions never set one, and need
 * not be remembered. */
static bool sets_path(const struct known *known)
{
    for (size_t i = 0; i < known->op_count; i++)
        if (known->ops[i].kind == PATH_SET || known->ops[i].kind == PATH_SET_LOCAL)
            return true;
    return false;
}

static enum status follow(struct replay *replay, const struct logread_entry *entry,
                          const struct known *known)
{
    if (known->op_count == 0 || entry->session == NULL)
        return OK;
    struct log_session *session = session_of(replay, entry);
    if (session == NULL && !sets_path(known))
        return OK;
    if (session == NULL) {
        if (arena_size(replay->session_arena) > SESSION_BYTES) {
            map_clear(replay->sessions);
            arena_reset(replay->session_arena);
        }
        session = arena_zalloc(replay->session_arena, 1, sizeof(*session));
        if (session == NULL || map_put_str(replay->sessions, entry->session, session) != OK)
            return ERR_MEMORY;
        session->path = session->begun = replay->start;
        session->block = true; /* its BEGIN may have gone by */
    }
    enum status status = OK;
    for (size_t i = 0; i < known->op_count && status == OK; i++)
        status = follow_op(replay, session, &known->ops[i]);
    return status;
}

static bool says_op(const struct verdict_statement *one, enum path_op_kind *kind)
{
    bool path = one->setting != NULL && strcasecmp(one->setting, "search_path") == 0;
    bool set = one->kind == STATEMENT_SET && one->value_count > 0;
    if (one->kind == STATEMENT_BEGIN)
        *kind = PATH_BEGIN;
    else if (one->kind == STATEMENT_COMMIT)
        *kind = PATH_COMMIT;
    else if (one->kind == STATEMENT_ROLLBACK)
        *kind = PATH_ROLLBACK;
    else if (one->kind == STATEMENT_DISCARD ||
             (one->kind == STATEMENT_RESET && (path || one->setting == NULL)) ||
             (one->kind == STATEMENT_SET && path && !set))
        *kind = PATH_RESET;
    else if (set && path)
        *kind = one->local ? PATH_SET_LOCAL : PATH_SET;
    else
        return false;
    return true;
}

static bool keep_ops(struct replay *replay, const struct verdict *verdict, struct known *known)
{
    struct arena *arena = replay->cache_arena;
    size_t count = verdict == NULL ? 0 : verdict->statement_count;
    known->ops = arena_zalloc(arena, count + 1, sizeof(*known->ops));
    for (size_t i = 0; known->ops != NULL && i < count; i++) {
        const struct verdict_statement *one = &verdict->statements[i];
        struct path_op *op = &known->ops[known->op_count];
        if (!says_op(one, &op->kind))
            continue;
        op->path = make_path(arena, one->values, one->value_count);
        known->op_count++;
    }
    return known->ops != NULL;
}

/* ---- judging ---- */

static const char *joined(struct arena *arena, const char *const *names, size_t count)
{
    const char *list = "";
    for (size_t i = 0; i < count && list != NULL; i++)
        list = arena_printf(arena, "%s%s%s", list, i == 0 ? "" : ", ", names[i]);
    return list;
}

static const char *rule_hint(struct arena *arena, const struct observed_relation *relation,
                             const char *what)
{
    return relation->rule == NULL
               ? arena_printf(arena, "It has no rule of its own: the tables below it have.")
               : arena_printf(arena, "The rule at %s %s.", relation->rule, what);
}

static void add(struct known *known, enum report_kind kind, const char *object, const char *columns,
                const char *hint)
{
    known->findings[known->count++] =
        (struct report_finding){.kind = kind, .object = object, .columns = columns, .hint = hint};
}

static bool keep_relation(struct arena *arena, const struct observed_relation *relation,
                          struct known *known)
{
    const char *object = arena_printf(arena, "%s.%s", relation->schema, relation->name);
    if (object == NULL)
        return false;
    if (relation->hidden_count > 0)
        add(known, REPORT_HIDDEN, object, joined(arena, relation->hidden, relation->hidden_count),
            rule_hint(arena, relation, "does not show them"));
    if (relation->masked_count > 0)
        add(known, REPORT_MASKED, object, joined(arena, relation->masked, relation->masked_count),
            rule_hint(arena, relation, "masks them"));
    if (relation->filtered)
        add(known, REPORT_FILTERED, object, NULL, rule_hint(arena, relation, "has `rows`"));
    return !arena_failed(arena);
}

static bool keep_findings(struct arena *arena, const struct observation *seen, struct known *known)
{
    size_t most = 1;
    for (size_t i = 0; seen->allowed && i < seen->statement_count; i++)
        most += 3 * seen->statements[i].relation_count;
    known->findings = arena_zalloc(arena, most, sizeof(*known->findings));
    if (known->findings == NULL)
        return false;
    if (!seen->allowed) {
        known->findings[known->count++] =
            (struct report_finding){.kind = REPORT_REFUSED,
                                    .reason = arena_strdup(arena, seen->reason),
                                    .object = arena_strdup(arena, seen->object),
                                    .hint = arena_strdup(arena, seen->hint)};
        return !arena_failed(arena);
    }
    for (size_t i = 0; i < seen->statement_count; i++)
        for (size_t k = 0; k < seen->statements[i].relation_count; k++)
            if (!keep_relation(arena, &seen->statements[i].relations[k], known))
                return false;
    return true;
}

/* The texts of all statements in one; of what does not parse there is none. */
static const char *normalized(struct arena *arena, const struct verdict *verdict)
{
    const char *all = NULL;
    for (size_t i = 0; verdict != NULL && i < verdict->statement_count; i++) {
        const char *one = verdict->statements[i].normalized;
        if (one != NULL)
            all = all == NULL ? arena_strdup(arena, one) : arena_printf(arena, "%s; %s", all, one);
    }
    return all;
}

static struct known *judge_text(struct replay *replay, const struct logread_entry *entry,
                                const struct who *who, struct path path)
{
    const char *names[REPLAY_LIST_MAX];
    size_t count = 0;
    for (size_t at = 0; at < path.len && count < REPLAY_LIST_MAX; at += strlen(path.names + at) + 1)
        names[count++] = path.names + at;
    const struct judge_request request = {.policy = replay->policy,
                                          .user = who->user,
                                          .role = who->role,
                                          .mission = who->mission,
                                          .path = names,
                                          .path_count = count,
                                          .session_settings = replay->options->settings,
                                          .session_setting_count = replay->options->setting_count,
                                          .sql = entry->text,
                                          .len = entry->len,
                                          .prepared = observe_prepared};
    struct observation seen;
    arena_reset(replay->scratch);
    observe(replay->observer, &request, replay->scratch, &seen);
    struct arena *arena = replay->cache_arena;
    struct known *known = arena_zalloc(arena, 1, sizeof(*known));
    if (known == NULL || !keep_findings(arena, &seen, known) ||
        !keep_ops(replay, seen.verdict, known))
        return NULL;
    known->allowed = seen.allowed;
    known->unparsed = !seen.allowed && strcmp(seen.reason, "syntax") == 0;
    known->sqlstate = arena_strdup(arena, seen.sqlstate);
    known->sql = normalized(arena, seen.verdict);
    if (seen.verdict != NULL && seen.verdict->statement_count > 0 &&
        seen.verdict->statements[0].fingerprint[0] != '\0')
        known->fingerprint = arena_strdup(arena, seen.verdict->statements[0].fingerprint);
    return arena_failed(arena) ? NULL : known;
}

static void put_key(struct replay *replay, const struct logread_entry *entry, const struct who *who,
                    struct path path)
{
    struct buf *key = &replay->key;
    buf_clear(key);
    buf_cstr(key, who->user->name);
    buf_append(key, &who->role, sizeof(who->role));
    buf_append(key, &who->mission, sizeof(who->mission));
    buf_append(key, &path.len, sizeof(path.len));
    buf_append(key, path.names, path.len);
    buf_append(key, entry->text, entry->len);
}

static const struct known *known_of(struct replay *replay, const struct logread_entry *entry,
                                    const struct who *who)
{
    struct path path = path_of(replay, entry);
    put_key(replay, entry, who, path);
    if (replay->key.failed)
        return NULL;
    struct known *known = map_get(replay->cache, buf_head(&replay->key), buf_len(&replay->key));
    if (known != NULL) {
        replay->kept++;
        return known;
    }
    if (arena_size(replay->cache_arena) + replay->key_bytes > CACHE_BYTES) {
        map_clear(replay->cache);
        arena_reset(replay->cache_arena);
        replay->key_bytes = 0;
    }
    known = judge_text(replay, entry, who, path);
    bool kept = known != NULL &&
                map_put(replay->cache, buf_head(&replay->key), buf_len(&replay->key), known) == OK;
    replay->key_bytes += buf_len(&replay->key);
    return kept ? known : NULL;
}

static bool of_this_database(const struct replay *replay, const struct logread_entry *entry)
{
    const char *wanted =
        entry->normalized ? replay->options->trail_database : replay->options->database;
    return wanted == NULL || entry->database == NULL || strcmp(wanted, entry->database) == 0;
}

static bool is_skipped(const struct replay *replay, const struct logread_entry *entry)
{
    for (size_t i = 0; i < replay->options->skipped_count && entry->user != NULL; i++)
        if (strcmp(replay->options->skipped[i], entry->user) == 0)
            return true;
    return false;
}

/* Counts what is not looked at. */
static bool leave_out(const struct replay *replay, const struct logread_entry *entry,
                      struct report_left_out *left_out)
{
    bool elsewhere = !of_this_database(replay, entry);
    bool skipped = !elsewhere && is_skipped(replay, entry);
    left_out->elsewhere += elsewhere;
    left_out->skipped += skipped;
    return elsewhere || skipped;
}

static void refused_case(const struct who *who, const struct report_finding *finding,
                         const char *sqlstate, struct replay_case *one)
{
    one->who = who->names;
    one->report.findings = finding;
    one->report.count = 1;
    one->sqlstate = sqlstate;
}

enum status replay_judge(struct replay *replay, const struct logread_entry *entry,
                         struct report_left_out *left_out, struct replay_case *one)
{
    static const struct report_finding function = {
        .reason = "message", .object = "function call", .hint = "Call the function in a SELECT."};
    struct who who;
    *one = (struct replay_case){.report = {.time = entry->time}};
    if (entry->kind == LOGREAD_OTHER)
        return DENIED;
    if (leave_out(replay, entry, left_out))
        return DENIED;
    find_who(replay, entry, &who);
    if (who.refused.reason != NULL) {
        arena_reset(replay->scratch);
        struct report_finding *kept = arena_alloc(replay->scratch, sizeof(*kept));
        if (kept == NULL)
            return ERR_MEMORY;
        *kept = who.refused;
        refused_case(&who, kept, "28P01", one);
        return OK;
    }
    if (entry->kind == LOGREAD_FUNCTION) {
        refused_case(&who, &function, "0A000", one);
        return OK;
    }
    const struct known *known = known_of(replay, entry, &who);
    if (known == NULL)
        return ERR_MEMORY;
    if (known->unparsed && entry->normalized) {
        left_out->unparsed++;
        return DENIED;
    }
    one->who = who.names;
    one->allowed = known->allowed;
    one->sqlstate = known->sqlstate;
    one->fingerprint = known->fingerprint;
    one->report.findings = known->findings;
    one->report.count = known->count;
    one->report.sql = known->sql;
    return follow(replay, entry, known);
}

/* ---- what was observed ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *joined_json(struct arena *arena, const json_t *list)
{
    const char *text = NULL;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name != NULL)
            text = text == NULL ? name : arena_printf(arena, "%s, %s", text, name);
    }
    return text;
}

static bool read_relation(struct arena *arena, const json_t *from, struct known *known)
{
    const char *schema = text_of(from, "schema");
    const char *name = text_of(from, "name");
    const struct observed_relation relation = {.rule = text_of(from, "rule")};
    const char *object =
        arena_printf(arena, "%s.%s", schema == NULL ? "" : schema, name == NULL ? "" : name);
    const char *hidden = joined_json(arena, json_object_get(from, "hidden"));
    const char *masked = joined_json(arena, json_object_get(from, "masked"));
    if (hidden != NULL)
        add(known, REPORT_HIDDEN, object, hidden,
            rule_hint(arena, &relation, "does not show them"));
    if (masked != NULL)
        add(known, REPORT_MASKED, object, masked, rule_hint(arena, &relation, "masks them"));
    if (json_is_true(json_object_get(from, "filtered")))
        add(known, REPORT_FILTERED, object, NULL, rule_hint(arena, &relation, "has `rows`"));
    return !arena_failed(arena);
}

enum status replay_observed(struct replay *replay, const struct logread_entry *entry,
                            struct report_left_out *left_out, struct replay_case *one)
{
    struct arena *arena = replay->scratch;
    const json_t *observed = json_object_get(entry->record, "observed");
    const char *decision = text_of(observed, "decision");
    const json_t *relations = json_object_get(observed, "relations");
    *one = (struct replay_case){.report = {.time = entry->time}};
    if (decision == NULL)
        return DENIED;
    if (leave_out(replay, entry, left_out))
        return DENIED;
    arena_reset(arena);
    struct known known = {.allowed = strcmp(decision, "allow") == 0};
    known.findings =
        arena_zalloc(arena, 1 + 3 * json_array_size(relations), sizeof(*known.findings));
    if (known.findings == NULL)
        return ERR_MEMORY;
    if (!known.allowed)
        known.findings[known.count++] =
            (struct report_finding){.kind = REPORT_REFUSED,
                                    .reason = text_of(observed, "reason"),
                                    .object = text_of(observed, "object"),
                                    .hint = text_of(observed, "hint")};
    for (size_t i = 0; known.allowed && i < json_array_size(relations); i++)
        if (!read_relation(arena, json_array_get(relations, i), &known))
            return ERR_MEMORY;
    one->who = (struct report_who){entry->application, entry->user, entry->role, entry->mission};
    one->allowed = known.allowed;
    one->sqlstate = text_of(observed, "sqlstate");
    one->fingerprint = text_of(entry->record, "fingerprint");
    one->report.findings = known.findings;
    one->report.count = known.count;
    one->report.sql = text_of(entry->record, "sql");
    return OK;
}
