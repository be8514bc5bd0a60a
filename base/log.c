/*
 * log.c: one line an event to stderr (see log.h).
 *
 * Events are written to the descriptor; the C library's stream of that name is for those who do not
 * know of events, and can be made to speak in them.
 *
 * Trust boundary: a line may hold text of a peer. log_quote escapes it; log_event besides turns
 * every control byte of the finished line into '?', so that a caller who forgot still cannot be
 * made to forge a line or to steer an operator's terminal.
 */
#include <pgvigil/log.h>

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 4096U

static _Atomic int minimum = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&minimum, (int)level);
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG:
        return "debug";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_ERROR:
        return "error";
    }
    return "unknown";
}

static size_t write_head(char *line, size_t size, enum log_level level)
{
    struct timespec now = {0};
    struct tm tm = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &tm);
    size_t len = strftime(line, size, "time=%Y-%m-%dT%H:%M:%S", &tm);
    int more = snprintf(line + len, size - len, ".%03ldZ level=%s ", now.tv_nsec / 1000000,
                        level_name(level));
    return more > 0 ? len + (size_t)more : len;
}

static size_t write_body(char *line, size_t room, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static size_t write_body(char *line, size_t room, const char *format, va_list args)
{
    /* The analyzer loses the caller's va_start.
     * NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
    int wanted = vsnprintf(line, room, format, args);
    if (wanted < 0)
        return 0;
    size_t len = (size_t)wanted;
    if (len >= room) {
        static const char cut[] = " cut=true";
        len = room - 1;
        memcpy(line + len - (sizeof cut - 1), cut, sizeof cut - 1);
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    }
    return len;
}

void log_event(enum log_level level, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&minimum, memory_order_relaxed))
        return;
    int saved = errno;
    char line[LINE_SIZE];
    size_t len = write_head(line, sizeof line, level);
    va_list args;
    va_start(args, format);
    len += write_body(line + len, sizeof line - 1 - len, format, args);
    va_end(args);
    line[len++] = '\n';
    ssize_t written = 0;
    do {
        written = write(STDERR_FILENO, line, len);
    } while (written < 0 && errno == EINTR);
    errno = saved;
}

const char *log_quote(const char *text, char *out, size_t out_size)
{
    static const char hex[] = "0123456789abcdef";
    if (out_size == 0)
        return "";
    if (out_size < 3) {
        out[0] = '\0';
        return out;
    }
    size_t at = 0;
    out[at++] = '"';
    for (const unsigned char *p = (const unsigned char *)(text ? text : ""); *p; p++) {
        char token[5] = {(char)*p};
        size_t len = 1;
        if (*p == '"' || *p == '\\') {
            token[0] = '\\';
            token[1] = (char)*p;
            len = 2;
        } else if (*p < 0x20 || *p == 0x7f) {
            token[0] = '\\';
            token[1] = 'x';
            token[2] = hex[*p >> 4];
            token[3] = hex[*p & 15];
            len = 4;
        }
        if (at + len + 2 > out_size)
            break;
        memcpy(out + at, token, len);
        at += len;
    }
    out[at++] = '"';
    out[at] = '\0';
    return out;
}

void log_lines(enum log_level level, const char *event, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        char line[LINE_SIZE / 2];
        char quoted[LINE_SIZE - 256];
        (void)snprintf(line, sizeof line, "%.*s", (int)(len < sizeof line ? len : sizeof line - 1),
                       text);
        if (len > 0)
            log_event(level, "event=%s detail=%s", event, log_quote(line, quoted, sizeof quoted));
        text += text[len] == '\n' ? len + 1 : len;
    }
}

#ifdef __GLIBC__
static ssize_t take(void *context, const char *bytes, size_t size)
{
    (void)context;
    char text[LINE_SIZE / 2];
    size_t len = size < sizeof text ? size : sizeof text - 1;
    memcpy(text, bytes, len);
    text[len] = '\0';
    log_lines(LOG_LEVEL_WARNING, "library-message", text);
    return (ssize_t)size;
}

void log_take_stderr(void)
{
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = take});
    if (stream == NULL)
        return;
    (void)setvbuf(stream, NULL, _IOLBF, BUFSIZ);
    stderr = stream;
}
#else
void log_take_stderr(void)
{
}
#endif
