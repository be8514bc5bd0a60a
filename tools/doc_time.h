/*
 * doc_time.h: moments that people give and read: in the time of where they are, and exact.
 *
 * The zone is the process's (TZ). A time of day that the zone has twice, or not at all, is refused:
 * an hour more or less is an hour of the seventy-two.
 */
#ifndef PGVIGIL_TOOLS_DOC_TIME_H
#define PGVIGIL_TOOLS_DOC_TIME_H

#include <stdbool.h>
#include <time.h>

#define DOC_TIME_BYTES 40

/* "2026-03-28", "2026-03-28T14:30", "...:00", with Z or +01:00 behind it; without, local. False:
 * *why (static) says what is wrong. */
bool doc_time_parse(const char *text, time_t *when, const char **why);
/* "2026-03-28T14:30:00+01:00", "2026-03-28T13:30:00Z". */
void doc_time_local(time_t when, char out[DOC_TIME_BYTES]);
void doc_time_utc(time_t when, char out[DOC_TIME_BYTES]);

#endif
