/*
 * metrics.h: all meters as text in Prometheus' exposition format, version 0.0.4.
 */
#ifndef PGVIGIL_PROXY_METRICS_H
#define PGVIGIL_PROXY_METRICS_H

#include "proxy/worker.h"

#include <pgvigil/buf.h>

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Any thread, between worker_open and worker_close of all workers. */
void metrics_write(const struct process *process, struct buf *out);
/* Whether it serves: every worker looks around, and can write its audit. Else a sentence. */
bool metrics_healthy(const struct process *process, const char **why);

#endif
