/*
 * cmd_audit_ship.c: `pgvigil audit ship`: a process beside serve that sends the trail's records to
 * what audit.ship names (see ship.h).
 *
 * Trust boundary: it reads the trail and never writes there, so serve is not disturbed. It reads
 * the configuration as serve does, and so may run as that account: the unit in docs/operations.md
 * keeps it from writing anything but its saved places.
 */
#include "tools/cli.h"
#include "tools/cmd_audit.h"
#include "tools/ship.h"

#include <errno.h>
#include <inttypes.h>
#include <pgvigil/log.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_MOST_MS 15000U
#define REFUSED_MS    60000U
/* More is more to send again after a broken connection. */
#define BATCH_BYTES     ((size_t)4 << 20)
#define BATCH_PAUSE_MS  1000U
#define STEP_MS         100U
#define END_SECONDS     90
#define LABEL_MAX       320U
#define TELL_EACH_TIMES 20U

static const char about[] =
    "Sends the records of the trail to what audit.ship in the configuration names: syslog servers\n"
    "over TLS (RFC 5424, 5425), a table in a central PostgreSQL. Runs beside serve, until SIGTERM "
    "or\n"
    "SIGINT. What a receiver has not confirmed stays in the files of the trail and is sent when "
    "it\n"
    "is back. Logs go to stderr.";
static const char exits[] =
    "Exit status: 0 ended by a signal, or (--once) all is confirmed; 2 wrong usage; 3 the\n"
    "configuration is wrong, or (--once) not all could be sent.";

struct runner {
    struct ship ship;
    pthread_t thread;
    enum status status;
    char label[LABEL_MAX];
};

/* ---- what the receivers share ---- */

enum status ship_failed(struct ship *ship, enum status status, const char *format, ...)
{
    char sentence[1024];
    char quoted[1400];
    va_list args;
    va_start(args, format);
    /* clang-analyzer loses va_start here. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    /* A receiver that is away for a night is told of at once and then now and again. */
    if (ship->failures % TELL_EACH_TIMES == 0 || status == ERR_INVALID || status == OK)
        log_event(status == OK ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
                  "event=ship-failed to=%s error=%s", ship->label,
                  log_quote(sentence, quoted, sizeof quoted));
    return status;
}

void ship_confirmed(struct ship *ship, uint64_t records)
{
    if (ship->failures || !ship->records)
        log_event(LOG_LEVEL_INFO, "event=ship-confirmed to=%s records=%" PRIu64, ship->label,
                  records);
    ship->records += records;
    ship->failures = 0;
}

void ship_pause(const struct ship *ship, unsigned milliseconds)
{
    const struct timespec step = {.tv_nsec = (long)STEP_MS * 1000000};
    for (unsigned done = 0; done < milliseconds && !atomic_load(ship->stop); done += STEP_MS)
        (void)nanosleep(&step, NULL);
}

/* What tail_next said when it was neither OK nor NEED_MORE: OK where other chains go on. */
static enum status tail_said(struct ship *ship, const struct tail *tail, enum status status)
{
    (void)ship_failed(ship, status, "%s", tail_why(tail));
    if (status != ERR_INVALID)
        return status;
    ship->refused = true;
    return OK;
}

/* Fills the batch with what is there. */
static enum status gather(struct ship *ship, struct tail *tail, struct ship_batch *batch,
                          const struct ship_receiver *receiver)
{
    struct tail_line line;
    enum status status = OK;
    buf_clear(&batch->bytes);
    batch->records = 0;
    while (buf_len(&batch->bytes) < BATCH_BYTES && status == OK) {
        status = tail_next(tail, &line);
        if (status == NEED_MORE)
            break;
        status =
            status == OK ? receiver->put(receiver->context, &line) : tail_said(ship, tail, status);
    }
    if (batch->bytes.failed)
        status = ERR_MEMORY;
    return status == NEED_MORE ? OK : status;
}

enum status ship_follow(struct ship *ship, struct tail *tail, struct ship_batch *batch,
                        const struct ship_receiver *receiver)
{
    while (!atomic_load(ship->stop)) {
        enum status status = gather(ship, tail, batch, receiver);
        bool full = buf_len(&batch->bytes) >= BATCH_BYTES;
        if (status == OK && batch->records > 0)
            status = receiver->send(receiver->context, tail);
        else if (status == OK && ship->once)
            return OK;
        if (status != OK)
            return status;
        if (!ship->once && !full)
            ship_pause(ship, BATCH_PAUSE_MS);
    }
    return OK;
}

/* ---- one receiver ---- */

static void *run(void *context)
{
    struct runner *runner = context;
    struct ship *ship = &runner->ship;
    unsigned pause = 1000;
    for (;;) {
        uint64_t before = ship->records;
        runner->status = ship->to->table ? ship_table(ship) : ship_syslog(ship);
        if (atomic_load(ship->stop) || runner->status == OK || ship->once)
            return NULL;
        if (ship->records != before)
            pause = 1000;
        ship->failures++;
        ship_pause(ship, runner->status == ERR_INVALID ? REFUSED_MS : pause);
        pause = pause * 2 < PAUSE_MOST_MS ? pause * 2 : PAUSE_MOST_MS;
    }
}

static void name_receiver(const struct config_ship *to, char out[LABEL_MAX])
{
    char host[280];
    if (to->table)
        (void)snprintf(out, LABEL_MAX, "postgresql:%u", to->place.line);
    else
        (void)snprintf(out, LABEL_MAX, "%s",
                       log_quote(to->host, host, sizeof host)); /* as in the configuration */
}

static bool start(struct runner *runner, const struct config *config, size_t index,
                  atomic_bool *stop, bool once)
{
    name_receiver(&config->ships[index], runner->label);
    runner->ship = (struct ship){.to = &config->ships[index],
                                 .directory = config->audit.directory,
                                 .label = runner->label,
                                 .stop = stop,
                                 .once = once};
    return pthread_create(&runner->thread, NULL, run, runner) == 0;
}

/* Waits for all of them; after stop, not for ever. */
static bool join(struct runner *runner)
{
    struct timespec until;
    if (runner->ship.once && !atomic_load(runner->ship.stop))
        return pthread_join(runner->thread, NULL) == 0;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += END_SECONDS;
    return pthread_timedjoin_np(runner->thread, NULL, &until) == 0;
}

static int ship_all(const struct cli_command *command, const struct config *config, bool once)
{
    static atomic_bool stop;
    struct runner *runners = calloc(config->ship_count, sizeof *runners);
    if (!runners)
        return cli_fail(command, CLI_CANNOT, "out of memory");
    size_t started = 0;
    while (started < config->ship_count && start(&runners[started], config, started, &stop, once))
        started++;
    int code = started == config->ship_count
                   ? CLI_FINE
                   : cli_fail(command, CLI_CANNOT, "no thread could be made");
    sigset_t ends;
    int number = 0;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    if (!once && code == CLI_FINE)
        (void)sigwait(&ends, &number);
    if (!once || code != CLI_FINE)
        atomic_store(&stop, true);
    for (size_t i = 0; i < started; i++) {
        /* What is confirmed is saved: to be cut off in the middle costs duplicates at most. */
        if (!join(&runners[i]))
            _exit(CLI_CANNOT);
        if (once && (runners[i].status != OK || runners[i].ship.refused))
            code = CLI_CANNOT;
    }
    free(runners);
    return code;
}

int cmd_audit_ship(int argc, char **argv)
{
    const char *path = CLI_DEFAULT_CONFIG;
    bool once = false;
    const struct cli_option options[] = {
        {'c', "config", "FILE", "the configuration; default " CLI_DEFAULT_CONFIG, &path, NULL},
        {0, "once", NULL, "end when all that is there is confirmed", NULL, &once},
        {.name = NULL}};
    const struct cli_command command = {
        .name = "audit ship", .about = about, .exits = exits, .options = options};
    int code = cli_parse(&command, argc, argv, NULL, NULL);
    if (code != CLI_CONTINUE)
        return code;
    struct config *config = NULL;
    if (cli_load_config(path, &config, stderr) != CLI_FINE)
        return CLI_CANNOT;
    if (config->ship_count == 0) {
        code = cli_fail(&command, CLI_CANNOT, "%s names no receiver: give audit.ship", path);
    } else {
        sigset_t ends;
        (void)sigemptyset(&ends);
        (void)sigaddset(&ends, SIGTERM);
        (void)sigaddset(&ends, SIGINT);
        (void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
        log_set_level((enum log_level)config->log_level);
        log_event(LOG_LEVEL_INFO, "event=ship-start receivers=%zu", config->ship_count);
        code = ship_all(&command, config, once);
        log_event(LOG_LEVEL_INFO, "event=ship-end");
    }
    config_free(config);
    return code;
}
