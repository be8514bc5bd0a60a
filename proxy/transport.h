/*
 * transport.h: one socket, with or without TLS, that never blocks.
 *
 * Used for client sockets (accepted, owned here) and for server sockets taken over from libpq
 * (socket and SSL are borrowed from the PGconn, which outlives the transport and is finished by its
 * owner). A small vtable hides which of the two it is. Not thread-safe: a transport belongs to its
 * loop's thread. The process must ignore SIGPIPE.
 *
 * Reading and writing may each need the other direction during TLS (key updates, handshakes): after
 * NEED_MORE, transport_want says which event to wait for. The caller keeps a read event always on,
 * and a write event only after WANT_WRITE.
 */
#ifndef PGVIGIL_PROXY_TRANSPORT_H
#define PGVIGIL_PROXY_TRANSPORT_H

#include "proxy/meter.h"

#include <openssl/ssl.h>
#include <pgvigil/buf.h>
#include <pgvigil/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct transport;
struct tls_context;

enum transport_want { TRANSPORT_WANT_NOTHING = 0, TRANSPORT_WANT_READ, TRANSPORT_WANT_WRITE };

/* An accepted socket, plain at first. Takes `fd` (non-blocking) on success only; NULL: out of
 * memory. */
struct transport *transport_accepted(int fd);
/* A server socket that libpq opened: `fd` is PQsocket(conn), `ssl` PQsslStruct(conn, "OpenSSL") or
 * NULL. Both are borrowed: transport_free neither closes nor frees them. Sets the modes this module
 * needs on `ssl`. */
struct transport *transport_upstream(int fd, SSL *ssl);
/* Frees; closes an owned socket. Does not say goodbye: see transport_shutdown. Accepts NULL. */
void transport_free(struct transport *transport);

/*
 * The first byte that a fresh plain socket holds, left where it is: 0x16 means that the client
 * starts with TLS at once (direct TLS). OK, NEED_MORE, CLOSED, ERR_IO.
 */
NODISCARD enum status transport_peek(struct transport *transport, unsigned char *byte);

/* Makes an accepted plain transport a TLS server's; borrows `tls` for the call only. With `direct`
 * the client must have agreed on ALPN "postgresql" or the handshake fails. Then transport_handshake
 * until OK. ERR_MEMORY, ERR_TLS. */
NODISCARD enum status transport_start_tls(struct transport *transport, struct tls_context *tls,
                                          bool direct);
/* OK: done (at once for plain). NEED_MORE: see transport_want. CLOSED, ERR_TLS (transport_error
 * says), ERR_IO. */
NODISCARD enum status transport_handshake(struct transport *transport);

/*
 * Appends what there is to `into`, at most `budget` bytes more.
 * OK: the budget is used up; there may be more, also inside TLS where no event will tell: call
 * again next turn. NEED_MORE: nothing more now. CLOSED: the peer ended (TLS: close_notify; an end
 * without one is ERR_TLS for TLS: truncation attack). ERR_IO, ERR_TLS, ERR_MEMORY (also when `into`
 * is at its limit). Whatever the status, bytes read before it are in `into` and are to be handled
 * first.
 */
NODISCARD enum status transport_read(struct transport *transport, struct buf *into, size_t budget);

/*
 * Writes. OK: all of it; *written == len. NEED_MORE: *written bytes are gone; call again with the
 * rest, the same bytes first and no fewer (TLS may have encrypted them already), when
 * transport_want's event comes. CLOSED (EPIPE, reset), ERR_IO, ERR_TLS.
 */
NODISCARD enum status transport_write(struct transport *transport, const void *bytes, size_t len,
                                      size_t *written);
/* transport_write of a buffer's unread bytes, consuming what went. */
NODISCARD enum status transport_flush(struct transport *transport, struct buf *from);

/* Direction the last NEED_MORE of handshake, read or write waits for. */
enum transport_want transport_want(const struct transport *transport);
/* Decrypted or buffered bytes that wait inside TLS without a socket event. */
bool transport_pending(const struct transport *transport);

/* Says goodbye once without waiting (close_notify, then shutdown of the sending side). Ignores
 * failures. */
void transport_shutdown(struct transport *transport);
/* shutdown(SHUT_RDWR) without close_notify: before PQfinish, so that it cannot block. */
void transport_abort(struct transport *transport);

/* Somebody else reads and writes its socket for a while (libpq): nothing may be left here that was
 * read and not yet given out. False: there is, or nothing can be lent. Meanwhile transport_abort is
 * the only call. The attack on ourselves: libpq closes a socket that fails, its number becomes
 * somebody else's, and that connection is the one that is shut down; so abort has a number of its
 * own for as long. */
bool transport_lend(struct transport *transport);
/* The end of it. `open` false: libpq has closed the socket and freed its TLS; nothing touches them
 * any more, and every call gives CLOSED. */
void transport_take_back(struct transport *transport, bool open);
/* NULL without TLS. Borrowed. */
SSL *transport_ssl(const struct transport *transport);
/* "TLSv1.3", or NULL without TLS. */
const char *transport_tls_version(const struct transport *transport);
/* Why the last call failed, for the log: never NULL, no peer's bytes in it. */
const char *transport_error(const struct transport *transport);
/* Counts its bytes from now on, as these two figures; borrowed. Accepts a NULL transport. */
void transport_meter(struct transport *transport, struct meter *meter, enum figure received,
                     enum figure sent);
uint64_t transport_bytes_in(const struct transport *transport); /* application bytes */

#endif
