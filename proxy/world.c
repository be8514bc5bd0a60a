/*
 * world.c: policy, certificates, pseudonym keys and catalogs as one immutable whole (see world.h,
 * reload.h).
 *
 * Trust boundary: the administrator's files, the database's catalog. Keys are derived here and live
 * in the world only; they reach a server as start-up options, never in SQL or a log.
 */
#include "proxy/world.h"

#include "proxy/catalog_load.h"
#include "proxy/scram.h"
#include "proxy/tls.h"
#include "proxy/token_keys.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pgvigil/log.h>
#include <pgvigil/observe.h>
#include <pgvigil/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HMAC_BLOCK 64

static struct world *world_new(const struct config *config)
{
    static atomic_ulong ids;
    struct world *world =
        calloc(1, sizeof *world + config->database_count * sizeof world->databases[0]);
    if (world == NULL)
        return NULL;
    atomic_init(&world->refs, 1);
    world->id = atomic_fetch_add(&ids, 1) + 1;
    world->database_count = config->database_count;
    return world;
}

struct world *world_ref(struct world *world)
{
    atomic_fetch_add_explicit(&world->refs, 1, memory_order_relaxed);
    return world;
}

void world_unref(struct world *world)
{
    if (world == NULL || atomic_fetch_sub_explicit(&world->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < world->database_count; i++) {
        struct world_database *database = &world->databases[i];
        if (database->catalog != NULL)
            catalog_unref(database->catalog);
        observer_free(database->observer);
        free(database->why);
        if (database->keys != NULL)
            explicit_bzero(database->keys, strlen(database->keys));
        free(database->keys);
    }
    policy_unref(world->policy);
    token_ring_unref(world->tokens);
    tls_context_unref(world->tls);
    free(world);
}

/* ---- policy, certificates, keys ---- */

static bool uses_pseudonyms(const struct policy *policy, size_t mission)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        bool of_mission = false;
        for (size_t k = 0; k < rule->mission_count; k++)
            of_mission = of_mission || rule->missions[k] == mission;
        for (size_t k = 0; of_mission && k < rule->column_count; k++)
            if (policy->masks[rule->columns[k].mask].kind == MASK_PSEUDONYM)
                return true;
    }
    return false;
}

/* HMAC's two padded keys, as guards use them: (K xor ipad), (K xor opad). */
static void put_key(struct buf *out, const char *mission,
                    const unsigned char key[CONFIG_PSEUDONYM_KEY_BYTES])
{
    char info[160];
    unsigned char derived[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    int info_len = snprintf(info, sizeof info, "pgvigil pseudonym %s", mission);
    if (info_len < 0 || (size_t)info_len >= sizeof info ||
        HMAC(EVP_sha256(), key, CONFIG_PSEUDONYM_KEY_BYTES, (const unsigned char *)info,
             (size_t)info_len, derived, &len) == NULL) {
        out->failed = true;
        return;
    }
    unsigned char pads[2 * HMAC_BLOCK];
    memset(pads, 0x36, HMAC_BLOCK);
    memset(pads + HMAC_BLOCK, 0x5c, HMAC_BLOCK);
    for (unsigned int i = 0; i < len; i++) {
        pads[i] ^= derived[i];
        pads[HMAC_BLOCK + i] ^= derived[i];
    }
    char hex[4 * HMAC_BLOCK + 1];
    text_hex(pads, sizeof pads, hex);
    buf_str(out, " -c pgvigil.key_");
    for (const char *c = mission; *c != '\0'; c++)
        buf_byte(out, (unsigned char)(*c == '-' ? '$' : *c));
    buf_printf(out, "=%s", hex);
    explicit_bzero(derived, sizeof derived);
    explicit_bzero(pads, sizeof pads);
    explicit_bzero(hex, sizeof hex);
}

/* The start-up options of pair connections. */
static enum status make_options(const struct config *config, const struct policy *policy,
                                char **options, struct buf *why)
{
    unsigned char key[CONFIG_PSEUDONYM_KEY_BYTES];
    bool have_key = false;
    struct buf out;
    buf_init(&out, 0);
    /* Plans over guards look dear to PostgreSQL (sub-selects, catalog guards), and compiling one
     * took up to three seconds for queries that run in milliseconds: drivers' look-ups in the
     * catalog above all. */
    /* Strings end where the judge saw them end, whatever the database's own setting says: with
     * backslashes in them, SELECT 'x\', f('...') --' would be another statement. */
    buf_str(&out, "-c search_path= -c standard_conforming_strings=on -c jit=off");
    for (size_t i = 0; i < policy->mission_count; i++) {
        if (!uses_pseudonyms(policy, i))
            continue;
        if (!have_key) {
            if (config->pseudonym_key == NULL) {
                buf_printf(why,
                           "%s: the policy uses pseudonyms in mission \"%s\": pseudonym_key must "
                           "name a key file\n",
                           config->path, policy->missions[i].name);
                buf_free(&out);
                return ERR_INVALID;
            }
            enum status status = config_read_pseudonym_key(config->pseudonym_key, key, why);
            if (status != OK) {
                buf_free(&out);
                return ERR_INVALID;
            }
            have_key = true;
        }
        put_key(&out, policy->missions[i].name, key);
    }
    explicit_bzero(key, sizeof key);
    buf_byte(&out, '\0');
    if (out.failed) {
        buf_free(&out);
        return ERR_MEMORY;
    }
    *options = (char *)out.data;
    return OK;
}

static uint32_t common_iterations(const struct policy *policy)
{
    for (size_t i = 0; i < policy->user_count; i++) {
        struct scram_secret secret;
        if (policy->users[i].secret != NULL &&
            scram_parse_secret(policy->users[i].secret, &secret) == OK)
            return secret.iterations;
    }
    return SCRAM_DEFAULT_ITERATIONS;
}

static enum status read_policy(const struct config *config, struct world *world, struct buf *why)
{
    struct policy_errors errors = {0};
    enum status status = policy_load(config->policy, &world->policy, &errors);
    if (status != OK)
        policy_errors_print(&errors, why);
    policy_errors_free(&errors);
    if (status != OK)
        return status == ERR_MEMORY ? ERR_MEMORY : ERR_INVALID;
    world->policy_id = world->id;
    world->scram_iterations = common_iterations(world->policy);
    return token_ring_read(world->policy, &world->tokens, why);
}

static enum status read_certificates(const struct config *config, struct world *world,
                                     const struct world *now, struct buf *why)
{
    if (config->listen.certificate == NULL)
        return OK;
    enum status status = tls_context_new(&config->listen, &world->tls, why);
    if (status == OK)
        return OK;
    buf_str(why, now == NULL ? "\n" : ": the certificates in use stay\n");
    if (now == NULL || now->tls == NULL)
        return ERR_INVALID;
    world->tls = tls_context_ref(now->tls);
    return OK;
}

/* ---- catalogs ---- */

static void set_why(struct world_database *database, const char *text)
{
    free(database->why);
    database->why = text == NULL ? NULL : strdup(text);
}

/* Where nothing is enforced nothing need be deployed: statements are judged by the guards that
 * deploy would make. */
static enum status plan_guards(const struct config_database *config, const struct world *world,
                               bool tell, struct catalog **catalog)
{
    struct buf findings;
    struct catalog *planned = NULL;
    buf_init(&findings, 0);
    enum status status = observe_plan(world->policy, *catalog, &planned, &findings);
    buf_byte(&findings, '\0');
    if (status == OK && tell && !findings.failed && buf_len(&findings) > 1) {
        char name[200];
        log_event(LOG_LEVEL_WARNING,
                  "event=not-deployable database=%s detail=\"the policy could not be deployed here "
                  "as it is; what follows has no guard and is observed as refused\"",
                  log_quote(config->name, name, sizeof name));
        log_lines(LOG_LEVEL_WARNING, "not-deployable", (const char *)buf_head(&findings));
    }
    buf_free(&findings);
    if (status == OK) {
        catalog_unref(*catalog);
        *catalog = planned;
    }
    return status;
}

static enum status observe_catalog(const struct config_database *config, struct world *world,
                                   bool tell, struct catalog **catalog, struct observer **observer)
{
    bool deployed = strcmp((*catalog)->generation_digest, world->policy->digest) == 0;
    enum status status = deployed ? OK : plan_guards(config, world, tell, catalog);
    return status == OK ? observer_new(world->policy, *catalog, observer) : status;
}

static void tell_stale(const struct config_database *config, const struct catalog *catalog)
{
    char name[200];
    char guard[300];
    if (catalog->stale_count == 0)
        return;
    log_event(LOG_LEVEL_WARNING,
              "event=guards-stale database=%s guards=%zu guard=%s detail=\"what they read was "
              "renamed or changed; these relations are refused until somebody runs: pgvigil "
              "deploy\"",
              log_quote(config->name, name, sizeof name), catalog->stale_count,
              log_quote(catalog->stale, guard, sizeof guard));
}

static void tell_unread(const struct config_database *config, const struct catalog *catalog)
{
    char name[200];
    char views[400];
    if (catalog->unread_count == 0)
        return;
    log_event(LOG_LEVEL_WARNING,
              "event=views-unread database=%s count=%zu views=%s detail=\"what they read was "
              "locked by somebody who alters it; until the next reading they have no definition\"",
              log_quote(config->name, name, sizeof name), catalog->unread_count,
              log_quote(catalog->unread, views, sizeof views));
}

/* The guards of exactly this policy must be there: with those of another, a verdict would speak of
 * views that do not exist. */
static enum status load_catalog(const struct config *config, struct world *world, bool tell,
                                size_t index, struct world_database *database)
{
    const struct config_database *database_config = &config->databases[index];
    struct catalog *catalog = NULL;
    struct buf why;
    buf_init(&why, 0);
    enum status status = catalog_load(database_config->conninfo, world->policy, &catalog, &why);
    buf_byte(&why, '\0');
    char text[512];
    if (status == OK)
        tell_unread(database_config, catalog);
    if (status != OK) {
        snprintf(text, sizeof text, "the catalog of database \"%s\" could not be loaded: %s",
                 database_config->name,
                 why.failed ? "out of memory" : (const char *)buf_head(&why));
        set_why(database, text);
    } else if (database_config->observe) {
        status = observe_catalog(database_config, world, tell, &catalog, &database->observer);
        set_why(database, status == OK ? NULL : "the policy could not be planned: out of memory");
        if (status != OK) {
            catalog_unref(catalog);
            catalog = NULL;
        }
    } else if (strcmp(catalog->generation_digest, world->policy->digest) != 0) {
        snprintf(text, sizeof text,
                 "the guards of this policy (generation %s) are not deployed in database \"%s\"; "
                 "run: pgvigil deploy "
                 "-c %s --database %s --as CONNINFO",
                 world->policy->generation, database_config->name, config->path,
                 database_config->name);
        set_why(database, text);
        catalog_unref(catalog);
        catalog = NULL;
        status = DENIED;
    } else {
        tell_stale(database_config, catalog);
        set_why(database, NULL);
    }
    database->catalog = catalog;
    buf_free(&why);
    return status;
}

static bool needs_guards(const struct policy *policy)
{
    for (size_t i = 0; i < policy->role_count; i++)
        if (!policy->roles[i].unrestricted)
            return true;
    return false;
}

/* What the world before knows of a database is good for the next one too. */
static enum status keep_catalog(const struct config *config, struct world *world,
                                const struct world_database *before, size_t index)
{
    struct world_database *database = &world->databases[index];
    enum status status = config->databases[index].observe
                             ? observer_new(world->policy, before->catalog, &database->observer)
                             : OK;
    if (status == OK)
        database->catalog = catalog_ref(before->catalog);
    return status;
}

static enum status load_catalogs(const struct config *config, struct world *world,
                                 const struct world *now, struct buf *why)
{
    bool same_policy = now != NULL && now->policy == world->policy;
    for (size_t i = 0; needs_guards(world->policy) && i < world->database_count; i++) {
        struct world_database *database = &world->databases[i];
        enum status status = load_catalog(config, world, !same_policy, i, database);
        if (status == OK)
            continue;
        buf_printf(why, "%s\n", database->why == NULL ? "out of memory" : database->why);
        /* Out of reach for a moment: what is known stays good, the guards themselves enforce. */
        if (same_policy && status != DENIED && now->databases[i].catalog != NULL &&
            keep_catalog(config, world, &now->databases[i], i) == OK) {
            set_why(database, NULL);
        } else if (now != NULL && !same_policy && now->databases[i].catalog != NULL) {
            buf_str(why, "The policy in force stays.\n");
            return ERR_INVALID;
        }
    }
    return OK;
}

static bool unchanged(const struct world *now, const struct world *next)
{
    for (size_t i = 0; i < next->database_count; i++) {
        const struct catalog *a = now->databases[i].catalog;
        const struct catalog *b = next->databases[i].catalog;
        if (a != b && (a == NULL || b == NULL || !catalog_load_equal(a, b)))
            return false;
    }
    return true;
}

static enum status make(const struct config *config, struct world *now, bool files,
                        struct world *world, struct buf *why)
{
    enum status status = OK;
    if (files) {
        status = read_policy(config, world, why);
        if (status == OK)
            status = read_certificates(config, world, now, why);
    } else {
        world->policy = policy_ref(now->policy);
        world->policy_id = now->policy_id;
        world->scram_iterations = now->scram_iterations;
        world->tokens = token_ring_ref(now->tokens);
        world->tls = now->tls == NULL ? NULL : tls_context_ref(now->tls);
    }
    for (size_t i = 0; status == OK && i < world->database_count; i++)
        status = make_options(config, world->policy, &world->databases[i].keys, why);
    return status == OK ? load_catalogs(config, world, now, why) : status;
}

enum status world_make(const struct config *config, struct world *now, bool files,
                       struct world **out, struct buf *why)
{
    *out = NULL;
    struct world *world = world_new(config);
    if (world == NULL)
        return ERR_MEMORY;
    enum status status = make(config, now, files, world, why);
    if (status != OK) {
        world_unref(world);
        return status;
    }
    if (!files && unchanged(now, world)) {
        world_unref(world);
        return OK;
    }
    *out = world;
    return OK;
}
