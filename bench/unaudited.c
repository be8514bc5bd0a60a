/*
 * unaudited.c: a pgvigil that writes nothing down, to measure what the trail costs.
 *
 * Linked with --wrap into bench/pgvigil-unaudited, which only bench/run builds and nobody installs:
 * the product has no such switch (design, promise 6). Records are neither encoded nor hashed nor
 * written; everything else is the real thing.
 */
#include <pgvigil/audit.h>

/* The names are the linker's. NOLINTBEGIN(readability-identifier-naming) */

enum status __wrap_audit_whole(struct audit *audit, const struct audit_session *session,
                               const struct audit_statement *statement,
                               const struct audit_outcome *outcome);
enum status __wrap_audit_begin(struct audit *audit, const struct audit_session *session,
                               const struct audit_statement *statement, uint64_t *id);
enum status __wrap_audit_more(struct audit *audit, const struct audit_session *session, uint64_t id,
                              uint64_t rows, uint64_t bytes);
enum status __wrap_audit_end(struct audit *audit, const struct audit_session *session, uint64_t id,
                             const struct audit_outcome *outcome);

enum status __wrap_audit_whole(struct audit *audit, const struct audit_session *session,
                               const struct audit_statement *statement,
                               const struct audit_outcome *outcome)
{
    (void)audit;
    (void)session;
    (void)statement;
    (void)outcome;
    return OK;
}

enum status __wrap_audit_begin(struct audit *audit, const struct audit_session *session,
                               const struct audit_statement *statement, uint64_t *id)
{
    (void)audit;
    (void)session;
    (void)statement;
    *id = 1;
    return OK;
}

enum status __wrap_audit_more(struct audit *audit, const struct audit_session *session, uint64_t id,
                              uint64_t rows, uint64_t bytes)
{
    (void)audit;
    (void)session;
    (void)id;
    (void)rows;
    (void)bytes;
    return OK;
}

enum status __wrap_audit_end(struct audit *audit, const struct audit_session *session, uint64_t id,
                             const struct audit_outcome *outcome)
{
    (void)audit;
    (void)session;
    (void)id;
    (void)outcome;
    return OK;
}
/* NOLINTEND(readability-identifier-naming) */
