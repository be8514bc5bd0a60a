/*
 * minimise_prove.c: the smaller policy is loaded and compared before anybody sees it (see
 * minimise.h).
 *
 * A copy of the files is edited in a directory of its own (0700: they hold secrets) and loaded as
 * serve would. Between the old copy and the new, the machinery of `pgvigil diff` must find losses
 * only, each of something that was not used; every use of the trail must find what it found before;
 * with a catalog, every statement that is kept must be judged as it was. What fails is left out,
 * part by part, and told.
 */
#include "tools/minimise.h"

#include "tools/diff.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pgvigil/buf.h>
#include <pgvigil/guard.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS_MAX 1000U /* to find what cannot be proposed */

struct proof {
    struct minimise *minimise;
    char folder[512];
    const char *path; /* of the copy */
    struct policy *old;
    unsigned attempts;
};

/* ---- files ---- */

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

static enum status make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = mkdir(path, 0700);
        int error = errno;
        *slash = '/';
        if (made != 0 && error != EEXIST)
            return ERR_IO;
    }
    return OK;
}

static enum status write_file(char *path, const char *bytes, size_t len)
{
    enum status status = make_folders(path);
    int fd = status == OK ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return ERR_IO;
    size_t done = 0;
    while (done < len) {
        ssize_t wrote = write(fd, bytes + done, len - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            break;
        done += (size_t)wrote;
    }
    int closed = close(fd);
    return done == len && closed == 0 ? OK : ERR_IO;
}

/* All files, with the edits that there are. */
static enum status write_files(const struct proof *proof)
{
    struct minimise *minimise = proof->minimise;
    enum status status = OK;
    for (size_t i = 0; i < minimise->text.file_count && status == OK; i++) {
        const struct text_file *file = &minimise->text.files[i];
        const char *bytes = file->bytes;
        size_t len = file->len;
        char *path = arena_printf(minimise->arena, "%s%s", proof->folder, file->path);
        if (file->fixed)
            continue; /* its own path leads to it */
        if (minimise->edits.text != NULL)
            status = policy_edit_apply(&minimise->edits, i, &bytes, &len);
        if (status == OK)
            status = path == NULL ? ERR_MEMORY : write_file(path, bytes, len);
    }
    if (status == ERR_IO)
        minimise->why = arena_printf(minimise->arena, "cannot write below %s: %s", proof->folder,
                                     strerror(errno));
    return status;
}

static enum status load_copy(struct proof *proof, struct policy **policy, const char **why)
{
    struct policy_errors errors;
    struct minimise *minimise = proof->minimise;
    enum status status = policy_load(proof->path, policy, &errors);
    if (status != OK && errors.count > 0) {
        const struct policy_error *error = &errors.errors[0];
        size_t head = strlen(proof->path);
        const char *file = error->place.file == NULL ? "" : error->place.file;
        file += strncmp(file, proof->path, head) == 0 && file[head] == '/' ? head + 1 : 0;
        *why = arena_printf(minimise->arena, "it would not load: %s:%u: %s", file,
                            error->place.line, error->message);
    }
    policy_errors_free(&errors);
    return status;
}

/* ---- losses, and nothing else ---- */

static bool is_lost_rightly(const struct minimise *minimise, const struct diff_item *item)
{
    int role = item->role == NULL ? -1 : policy_find_role(minimise->policy, item->role);
    int mission = item->mission == NULL ? -1 : policy_find_mission(minimise->policy, item->mission);
    const struct pair *pair = minimise_pair(minimise, role, mission);
    char schema[256];
    const char *dot = item->object == NULL ? NULL : strchr(item->object, '.');
    if (item->direction != DIFF_LOSS || pair == NULL || pair->keep != KEEP_NOT)
        return false;
    if (pair->gone)
        return true;
    if (dot == NULL || (size_t)(dot - item->object) >= sizeof schema)
        return false;
    (void)snprintf(schema, sizeof schema, "%.*s", (int)(dot - item->object), item->object);
    enum use_how how = USE_ALL;
    if (item->kind == DIFF_RELATION)
        how = USE_TOUCH;
    else if (item->kind == DIFF_COLUMN)
        how = USE_READ;
    else if (item->kind == DIFF_INSERT)
        how = USE_INSERT;
    else if (item->kind == DIFF_UPDATE)
        how = USE_UPDATE;
    else if (item->kind == DIFF_DELETE)
        how = USE_DELETE;
    else if (item->kind == DIFF_TRUNCATE)
        how = USE_TRUNCATE;
    return how != USE_ALL && !minimise_used(minimise, item->role, item->mission, schema, dot + 1,
                                            how, item->column == NULL ? "" : item->column);
}

static enum status only_losses(const struct proof *proof, const struct policy *smaller,
                               const char **why)
{
    const struct minimise *minimise = proof->minimise;
    struct diff diff = {
        .arena = minimise->arena, .old = proof->old, .new = smaller, .catalog = minimise->catalog};
    enum status status = diff_make(&diff);
    if (status != OK || diff.failed)
        return status != OK ? status : ERR_MEMORY;
    for (size_t i = 0; i < diff.count && *why == NULL; i++) {
        const struct diff_item *item = &diff.items[i];
        if (!is_lost_rightly(minimise, item))
            *why = arena_printf(
                minimise->arena, "it would be a %s that is not meant: %s%s%s%s %s%s%s",
                diff_direction_name(item->direction), item->role == NULL ? "" : item->role,
                item->mission == NULL ? "" : "/", item->mission == NULL ? "" : item->mission,
                item->object == NULL ? "" : " ", item->object == NULL ? "" : item->object,
                item->column == NULL ? "" : ".", item->column == NULL ? "" : item->column);
    }
    return OK;
}

/* ---- what was used is still there, as it was ---- */

static bool same_mask(const struct policy_mask *a, const struct policy_mask *b)
{
    return a->kind == b->kind &&
           (a->kind != MASK_EXPRESSION || strcmp(a->expression, b->expression) == 0);
}

static void look_at(const struct minimise *minimise, const struct target *target,
                    const struct policy *smaller, const char **why)
{
    static const enum use_how hows[] = {USE_INSERT, USE_UPDATE};
    const struct policy *policy = minimise->policy;
    const struct policy_rule *rule = &policy->rules[target->rule];
    const struct policy_table *table = policy_table_for(smaller, target->schema, target->name);
    const struct policy_rule *now =
        policy_rule_for(smaller, target->role, target->mission, target->schema, target->name);
    const struct catalog_relation *as = NULL;
    if (target->relation != NULL &&
        !guard_governing(smaller, minimise->catalog, target->role, target->mission,
                         target->relation, &table, &now, &as))
        now = NULL;
    if (target->touched && (table == NULL || now == NULL))
        *why = arena_printf(minimise->arena, "it would close %s, which is used", target->full);
    if (table == NULL || now == NULL)
        return;
    for (size_t i = 0; i < target->column_count && *why == NULL; i++) {
        const char *column = target->columns[i];
        bool kept = !minimise_target_used(minimise, target, USE_READ, column) ||
                    same_mask(policy_mask_for(policy, target->table, rule, column),
                              policy_mask_for(smaller, table, now, column));
        for (size_t k = 0; k < sizeof(hows) / sizeof(hows[0]); k++)
            kept = kept && (!minimise_target_used(minimise, target, hows[k], column) ||
                            minimise_given(policy, target->table, rule, hows[k], column) ==
                                minimise_given(smaller, table, now, hows[k], column));
        if (!kept)
            *why = arena_printf(minimise->arena, "it would take %s.%s, which is used", target->full,
                                column);
    }
}

static bool still_used(const struct minimise *minimise, const struct policy *smaller,
                       const char **why)
{
    for (size_t i = 0; i < minimise->target_count && *why == NULL; i++) {
        const struct target *target = minimise->targets[i];
        const struct pair *pair = minimise_pair(minimise, target->role, target->mission);
        if (!pair->gone || !minimise->groups[0])
            look_at(minimise, target, smaller, why);
    }
    return *why == NULL;
}

/* ---- the whole ---- */

/* The policy that the groups make, or why it may not be. */
static enum status attempt(struct proof *proof, struct policy **smaller, const char **why)
{
    struct minimise *minimise = proof->minimise;
    *smaller = NULL;
    *why = NULL;
    enum status status = minimise_cut(minimise);
    if (status == OK)
        status = write_files(proof);
    if (status == ERR_INTERNAL) {
        *why = "two changes of the text would touch the same place";
        return OK;
    }
    if (status == OK)
        status = load_copy(proof, smaller, why);
    if (status == ERR_INVALID && *why != NULL)
        return OK;
    if (status == OK)
        status = only_losses(proof, *smaller, why);
    if (status == OK && *why == NULL && still_used(minimise, *smaller, why) &&
        minimise->catalog != NULL)
        status = minimise_still_runs(minimise, *smaller, why);
    if (status == OK && *why == NULL)
        return OK;
    policy_unref(*smaller);
    *smaller = NULL;
    return status;
}

static enum status refuse(struct minimise *minimise, size_t group, const char *why)
{
    struct refusal *refusals =
        arena_grow(minimise->arena, minimise->refusals, minimise->refusal_count,
                   &minimise->refusal_cap, sizeof(*refusals));
    if (refusals == NULL)
        return ERR_MEMORY;
    minimise->refusals = refusals;
    refusals[minimise->refusal_count++] = (struct refusal){.group = group, .why = why};
    return OK;
}

/* A pair stays when what would take it away is refused. */
static void bring_back(struct minimise *minimise)
{
    for (size_t i = 0; i < minimise->pair_count; i++) {
        if (!minimise->pairs[i].gone)
            continue;
        minimise->pairs[i].gone = false;
        minimise->pairs[i].stays = STAY_TEXT;
    }
}

/* Lets the groups in that can be with those that are in already: all of them, or else half by half
 * down to the one that cannot, which is left out and told. */
static enum status let_in(struct proof *proof, size_t from, size_t to)
{
    struct minimise *minimise = proof->minimise;
    struct policy *smaller = NULL;
    const char *why = NULL;
    if (from >= to)
        return OK;
    if (proof->attempts++ == ATTEMPTS_MAX) {
        minimise->why = "too many parts of it cannot be proposed";
        return ERR_INTERNAL;
    }
    memset(minimise->groups + from, true, to - from);
    enum status status = attempt(proof, &smaller, &why);
    policy_unref(smaller);
    if (status != OK || why == NULL)
        return status;
    memset(minimise->groups + from, false, to - from);
    if (to - from == 1)
        return refuse(minimise, from, why);
    size_t middle = from + (to - from) / 2;
    status = let_in(proof, from, middle);
    return status == OK ? let_in(proof, middle, to) : status;
}

static enum status part_by_part(struct proof *proof)
{
    struct minimise *minimise = proof->minimise;
    memset(minimise->groups, false, minimise->group_count);
    enum status status = let_in(proof, 0, 1);
    if (status == OK && !minimise->groups[0])
        bring_back(minimise);
    return status == OK ? let_in(proof, 1, minimise->group_count) : status;
}

static enum status prove(struct proof *proof)
{
    struct minimise *minimise = proof->minimise;
    const char *why = NULL;
    memset(minimise->groups, true, minimise->group_count);
    enum status status = attempt(proof, &minimise->smaller, &why);
    if (status != OK || why == NULL)
        return status;
    status = part_by_part(proof);
    if (status == OK)
        status = attempt(proof, &minimise->smaller, &minimise->why);
    return status == OK && minimise->smaller == NULL ? ERR_INTERNAL : status;
}

/* The copy holds secrets: whoever ends the command ends it when the copy is gone. */
static void hold_signals(sigset_t *old)
{
    sigset_t ends;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &ends, old);
}

enum status minimise_prove(struct minimise *minimise)
{
    struct proof proof = {.minimise = minimise};
    const char *parent = getenv("TMPDIR");
    sigset_t old;
    const char *why = NULL;
    int len = snprintf(proof.folder, sizeof proof.folder, "%s/pgvigil-minimise-XXXXXX",
                       parent != NULL && parent[0] == '/' ? parent : "/tmp");
    hold_signals(&old);
    if (len < 0 || len >= (int)sizeof proof.folder || mkdtemp(proof.folder) == NULL) {
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
        minimise->why =
            arena_printf(minimise->arena, "cannot make a directory for a copy: %s",
                         len >= (int)sizeof proof.folder ? "TMPDIR is too long" : strerror(errno));
        return ERR_IO;
    }
    proof.path = arena_printf(minimise->arena, "%s%s", proof.folder, minimise->path);
    minimise->edits = (struct policy_edits){0};
    enum status status = write_files(&proof);
    if (status == OK)
        status = load_copy(&proof, &proof.old, &why);
    if (status == OK && strcmp(proof.old->digest, minimise->policy->digest) != 0) {
        minimise->why = "the files have changed while they were read";
        status = ERR_INVALID;
    }
    if (status != OK && minimise->why == NULL)
        minimise->why = why;
    if (status == OK)
        status = prove(&proof);
    policy_unref(proof.old);
    (void)nftw(proof.folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return status;
}
