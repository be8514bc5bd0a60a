"""
relay.py: a real PostgreSQL that says more than it was asked: a relay between pgvigil and the server of a Cluster.

Both legs are TLS, with the server's own certificate, so that pgvigil's verify-full and channel binding hold as they would with
somebody who has taken the server. Every byte is PostgreSQL's, but for what a test puts before its ReadyForQuery.
"""
import select
import socket
import ssl
import struct
import threading

import wire


def unchecked():
    """A client's TLS that believes every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Relay:
    """`with Relay(cluster) as relay:` listens on relay.port; relay.before_ready is put before each ReadyForQuery.

    While relay.open is cleared, new connections wait; relay.waiting counts them. What pgvigil says in the very bytes of
    relay.deaf_to does not reach the server. relay.heard has a "c" for each read of what pgvigil said, an "s" for the server's.
    """

    def __init__(self, cluster):
        self.upstream = cluster.port
        self.before_ready = b""
        self.deaf_to = None
        self.heard = []
        self.open = threading.Event()
        self.open.set()
        self.waiting = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(str(cluster.certs.server), str(cluster.certs.server_key))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = None
        try:
            if client.recv(8, socket.MSG_WAITALL) != wire.SSL_REQUEST:
                return
            self.waiting += 1
            self.open.wait()
            self.waiting -= 1
            client.sendall(b"S")
            client = self.context.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self.upstream))
            server.sendall(wire.SSL_REQUEST)
            if server.recv(1) != b"S":
                return
            server = unchecked().wrap_socket(server)
            self.sockets += [client, server]
            self._pump(client, server)
        except (OSError, ssl.SSLError):
            pass
        finally:
            for end in (client, server):
                if end is not None:
                    end.close()

    def _pump(self, client, server):
        said = bytearray()
        while True:
            ready = [s for s in (client, server) if s.pending()] or select.select([client, server], [], [])[0]
            for end in ready:
                end.setblocking(False)
                try:
                    data = end.recv(65536)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    continue
                finally:
                    end.setblocking(True)
                if not data:
                    return
                self.heard.append("c" if end is client else "s")
                if end is client:
                    if data != self.deaf_to:
                        server.sendall(data)
                else:
                    said += data
                    client.sendall(self._whole(said))

    def _whole(self, said):
        """Takes the whole messages off `said`."""
        out = bytearray()
        while len(said) >= 5:
            size = 1 + struct.unpack_from("!I", said, 1)[0]
            if len(said) < size:
                break
            if said[0] == ord("Z"):
                out += self.before_ready
            out += said[:size]
            del said[:size]
        return out

    def turns(self):
        """Who spoke, each turn once: "cs" is one round trip."""
        return "".join(who for i, who in enumerate(self.heard) if i == 0 or self.heard[i - 1] != who)

    def close(self):
        self.listener.close()
        for end in self.sockets:
            end.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
