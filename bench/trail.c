/*
 * trail.c: a trail as a hospital's year would leave it, for measuring `pgvigil audit search`.
 *
 *     trail DIRECTORY RECORDS [CHAINS [PATIENTS [PEOPLE]]]
 *
 * Lines have the fields, the sizes and the hash chain of real ones; checkpoints are not signed, so
 * `audit verify` would refuse it. Of a hundred records some 82 are statements with the subjects of
 * one to twelve rows (runs as pairs), nine parts of long results, six events, three refusals; one
 * in a hundred thousand reads every patient. The same arguments make the same files.
 */
#include "audit/chain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define FILE_BYTES ((uint64_t)256 << 20)
#define YEAR       31536000.0
#define START      1767225600 /* 2026-01-01 */
#define PENDING    8U
#define CHAINS_MAX 64U

struct writer {
    const char *directory;
    unsigned chain;
    uint64_t number;
    uint64_t size;
    uint64_t seq;
    FILE *file;
    char prev[CHAIN_HASH_HEX + 1];
    struct hasher *hasher;
    uint64_t begun[PENDING]; /* 0: none */
    char who[PENDING][160];  /* of the begun: session, person, login */
    char line[16384];
    size_t len;
};

static uint64_t state = 88172645463325252ULL;
static uint64_t patients = 500000;
static uint64_t people = 2000;

static uint64_t draw(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % below;
}

static void put(struct writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void put(struct writer *writer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len =
        vsnprintf(writer->line + writer->len, sizeof writer->line - writer->len, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof writer->line - writer->len)
        abort();
    writer->len += (size_t)len;
}

static void line_begin(struct writer *writer, double when, const char *type)
{
    time_t second = START + (time_t)when;
    struct tm tm;
    (void)gmtime_r(&second, &tm);
    writer->len = 0;
    put(writer,
        "{\"seq\":%" PRIu64 ",\"prev\":\"%s\",\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06dZ\","
        "\"type\":\"%s\"",
        ++writer->seq, writer->prev, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
        tm.tm_min, tm.tm_sec, (int)((when - (double)(time_t)when) * 1e6), type);
}

static void line_end(struct writer *writer)
{
    put(writer, "}\n");
    if (hasher_line(writer->hasher, writer->line, writer->len, writer->prev) != OK ||
        fwrite(writer->line, 1, writer->len, writer->file) != writer->len)
        abort();
    writer->size += writer->len;
}

static void next_file(struct writer *writer, double when)
{
    char path[4096];
    if (writer->file && fclose(writer->file) != 0)
        abort();
    (void)snprintf(path, sizeof path, "%s/audit-%u-%08" PRIu64 ".jsonl", writer->directory,
                   writer->chain, ++writer->number);
    writer->file = fopen(path, "w");
    if (!writer->file) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    writer->size = 0;
    line_begin(writer, when, "header");
    put(writer,
        ",\"format\":1,\"chain\":%u,\"file\":%" PRIu64
        ",\"key\":\"fb2c75c651aedd7e11f245669666463956fb06ad2691c94d0a97ed400451018f\","
        "\"checkpoint_seconds\":60,\"version\":\"0.1.0\"",
        writer->chain, writer->number);
    line_end(writer);
}

static void session(struct writer *writer, char *who)
{
    static const char *const roles[] = {"nurse", "physician", "receptionist", "lab"};
    uint64_t person = draw(people);
    bool glass = draw(500) == 0;
    int len = snprintf(
        who, 160, ",\"session\":%" PRIu64 ",\"person\":\"p%05" PRIu64 "\",\"login\":\"ward-app\"",
        1000 + draw(100000), person);
    if (len < 0 || len >= 160)
        abort();
    put(writer,
        "%s,\"identity\":\"proven\",\"auth\":\"scram-sha-256-plus\",\"database\":\"records\","
        "\"role\":\"%s\",\"mission\":\"%s\",\"purpose\":\"%s\"",
        who, roles[person % 4], glass ? "emergency" : "care", glass ? "ETREAT" : "TREAT");
    if (glass)
        put(writer,
            ",\"reason\":\"found unconscious in the corridor\",\"break_glass\":true,\"patient\":"
            "\"%" PRIu64 "\"",
            1 + draw(patients));
    put(writer,
        ",\"address\":\"10.20.%u.%u\",\"port\":%u,\"application\":\"ward\",\"tls\":\"TLSv1.3\"",
        (unsigned)draw(8), (unsigned)(person % 250), 1024 + (unsigned)draw(60000));
}

static void relations(struct writer *writer)
{
    put(writer,
        ",\"relations\":[{\"schema\":\"public\",\"name\":\"patients\",\"shown\":[\"id\",\"ward_"
        "id\","
        "\"family_name\",\"given_name\"],\"masked\":[\"birth_date\"]},{\"schema\":\"public\","
        "\"name\":"
        "\"%s\",\"shown\":[\"id\",\"patient_id\"],\"masked\":[]}]",
        draw(2) ? "stays" : "lab_results");
}

static void subjects(struct writer *writer)
{
    uint64_t rows = 1 + draw(12);
    put(writer, ",\"patients\":[");
    if (draw(100000) == 0) {
        put(writer, "[1,%" PRIu64 "]", patients);
        rows = 0;
    }
    for (uint64_t i = 0; i < rows; i++) {
        uint64_t first = 1 + draw(patients);
        uint64_t more = draw(8) == 0 ? draw(6) : 0;
        put(writer, "%s[%" PRIu64 ",%" PRIu64 "]", i ? "," : "", first, first + more);
    }
    put(writer, "]");
}

static void statement(struct writer *writer, const char *decision)
{
    put(writer, ",\"statement\":\"SELECT\",\"decision\":\"%s\",\"rule\":\"40-rules-care.cfg:%u\"",
        decision, 10 + (unsigned)draw(40));
}

static void text(struct writer *writer)
{
    put(writer,
        ",\"fingerprint\":\"50fde20626%06x\",\"sql\":\"SELECT p.id, p.family_name, p.birth_date "
        "FROM "
        "public.patients p JOIN public.stays s ON s.patient_id = p.id WHERE p.ward_id = $1 AND "
        "s.left_at IS NULL ORDER BY 2 LIMIT $2\"",
        (unsigned)draw(4096));
}

static void outcome(struct writer *writer)
{
    uint64_t rows = 1 + draw(12);
    put(writer,
        ",\"tag\":\"SELECT %" PRIu64 "\",\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64
        ",\"microseconds\":%" PRIu64,
        rows, rows, rows * 81, 300 + draw(5000));
}

/* A part of a statement that is begun, or the begin of one. */
static void part(struct writer *writer, double when)
{
    size_t at = draw(PENDING);
    if (!writer->begun[at]) {
        line_begin(writer, when, "begin");
        writer->begun[at] = writer->seq;
        session(writer, writer->who[at]);
        statement(writer, "allow");
        relations(writer);
        text(writer);
    } else if (draw(2)) {
        line_begin(writer, when, "more");
        put(writer, ",\"begin\":%" PRIu64 "%s,\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64,
            writer->begun[at], writer->who[at], draw(1000), draw(100000));
        subjects(writer);
    } else {
        line_begin(writer, when, "end");
        put(writer, ",\"begin\":%" PRIu64 "%s", writer->begun[at], writer->who[at]);
        outcome(writer);
        subjects(writer);
        writer->begun[at] = 0;
    }
    line_end(writer);
}

static void record(struct writer *writer, double when)
{
    char who[160];
    uint64_t kind = draw(100);
    if (kind < 9) {
        part(writer, when);
        return;
    }
    line_begin(writer, when, kind < 15 ? "event" : "whole");
    if (kind < 15)
        put(writer, ",\"event\":\"%s\"", draw(2) ? "connect" : "disconnect");
    session(writer, who);
    if (kind >= 15 && kind < 18) {
        statement(writer, "deny");
        put(writer, ",\"refused\":\"relation public.staff_salaries\"");
        text(writer);
        put(writer, ",\"sqlstate\":\"42501\",\"rows\":0,\"bytes\":0,\"microseconds\":120");
    } else if (kind >= 18) {
        statement(writer, "allow");
        relations(writer);
        text(writer);
        outcome(writer);
        subjects(writer);
    }
    line_end(writer);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        (void)fputs("usage: trail DIRECTORY RECORDS [CHAINS [PATIENTS [PEOPLE]]]\n", stderr);
        return 2;
    }
    uint64_t count = strtoull(argv[2], NULL, 10);
    unsigned chains = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 2;
    patients = argc > 4 ? strtoull(argv[4], NULL, 10) : patients;
    people = argc > 5 ? strtoull(argv[5], NULL, 10) : people;
    if (chains == 0 || chains > CHAINS_MAX || patients == 0 || people == 0 ||
        (mkdir(argv[1], 0700) != 0 && errno != EEXIST))
        return 1;
    static struct writer writers[CHAINS_MAX];
    for (unsigned i = 0; i < chains; i++) {
        writers[i].directory = argv[1];
        writers[i].chain = i;
        writers[i].hasher = hasher_new();
        memset(writers[i].prev, '0', CHAIN_HASH_HEX);
        if (!writers[i].hasher)
            return 1;
        next_file(&writers[i], 0);
    }
    for (uint64_t i = 0; i < count; i++) {
        struct writer *writer = &writers[draw(chains)];
        double when = YEAR * (double)i / (double)count;
        if (writer->size >= FILE_BYTES)
            next_file(writer, when);
        record(writer, when);
    }
    for (unsigned i = 0; i < chains; i++) {
        if (fclose(writers[i].file) != 0)
            return 1;
        hasher_free(writers[i].hasher);
    }
    return 0;
}
