/*
 * log.h: one line an event, key=value, to stderr (journald adds the time; we add ours in UTC too).
 *
 * Never put a literal from SQL, a password, a key or a row value into a line. Text that came from a
 * peer goes through log_quote, so that it cannot forge a second line or a second key. Thread-safe:
 * a line is one write(2).
 */
#ifndef PGVIGIL_LOG_H
#define PGVIGIL_LOG_H

#include <stddef.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

void log_set_level(enum log_level level);
/* The format gives the keys: log_event(LOG_LEVEL_INFO, "session=%u event=connect user=%s", ...).
 * A line is cut at 4 kB. */
void log_event(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes text as a double-quoted token (quotes, backslashes and control bytes escaped, cut to fit)
 * into out and returns out. */
const char *log_quote(const char *text, char *out, size_t out_size);
/* An event=`event` detail="..." for each line of text. */
void log_lines(enum log_level level, const char *event, const char *text);
/* From here on what anyone prints to the C library's stderr (libpq's notices, libevent's warnings)
 * comes out as events of level warning too. Call it before threads are started. Where the C library
 * has no such stream, nothing changes. */
void log_take_stderr(void);

#endif
