/*
 * record.h: the fields of the records, as docs/audit.md lists them. Each appends to an open line.
 */
#ifndef PGVIGIL_AUDIT_RECORD_H
#define PGVIGIL_AUDIT_RECORD_H

#include <pgvigil/audit.h>
#include <pgvigil/buf.h>

/* SQL text beyond this is cut; the record then tells the full length and the fingerprint stays. */
#define RECORD_SQL_MAX 65536U

void record_session(struct buf *out, const struct audit_session *session);
/* Of a record that belongs to an earlier one: that one's number, and whose it is. */
void record_reference(struct buf *out, const struct audit_session *session, uint64_t begin);
void record_statement(struct buf *out, const struct audit_statement *statement);
/* "patients" and "subjects"; nothing for NULL. */
void record_patients(struct buf *out, const struct audit_patients *patients);
void record_outcome(struct buf *out, const struct audit_outcome *outcome);

#endif
