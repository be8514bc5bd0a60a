"""
wire.py: PostgreSQL's protocol 3.0 from the client's side, byte by byte, for tests that no driver can express.

Independent of pgvigil and of libpq. A Raw is one connection: nothing is sent that the test did not ask for.
"""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct

SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSS_REQUEST = struct.pack("!II", 8, 80877104)


def message(kind, body=b""):
    return kind.encode() + struct.pack("!I", len(body) + 4) + body


def cstr(text):
    return (text.encode() if isinstance(text, str) else text) + b"\0"


def startup(user, database, minor=0, **settings):
    body = struct.pack("!HH", 3, minor) + cstr("user") + cstr(user) + cstr("database") + cstr(database)
    for name, value in settings.items():
        body += cstr(name) + cstr(value)
    body += b"\0"
    return struct.pack("!I", len(body) + 4) + body


def cancel(process_id, secret):
    return struct.pack("!IIII", 16, 80877102, process_id, secret)


def query(sql):
    return message("Q", cstr(sql))


def parse(sql, name="", types=()):
    return message("P", cstr(name) + cstr(sql) + struct.pack("!H", len(types)) + b"".join(
        struct.pack("!I", t) for t in types))


def bind(values=(), portal="", statement="", result_formats=(), formats=()):
    body = cstr(portal) + cstr(statement) + struct.pack("!H", len(formats))
    body += b"".join(struct.pack("!h", f) for f in formats) + struct.pack("!H", len(values))
    for value in values:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            data = value if isinstance(value, bytes) else str(value).encode()
            body += struct.pack("!i", len(data)) + data
    body += struct.pack("!H", len(result_formats)) + b"".join(struct.pack("!h", f) for f in result_formats)
    return message("B", body)


def describe(kind="P", name=""):
    return message("D", kind.encode() + cstr(name))


def execute(portal="", rows=0):
    return message("E", cstr(portal) + struct.pack("!I", rows))


def close(kind="S", name=""):
    return message("C", kind.encode() + cstr(name))


SYNC = message("S")
FLUSH = message("H")
TERMINATE = message("X")


def fields(body):
    """ErrorResponse and NoticeResponse as {code: text}."""
    found = {}
    for part in body.split(b"\0"):
        if part:
            found[chr(part[0])] = part[1:].decode(errors="replace")
    return found


def row(body):
    """A DataRow's values as bytes or None."""
    (count,) = struct.unpack_from("!H", body)
    at, values = 2, []
    for _ in range(count):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        if size < 0:
            values.append(None)
        else:
            values.append(body[at:at + size])
            at += size
    assert at == len(body), "a DataRow with bytes left over"
    return tuple(values)


def columns(body):
    """RowDescription: (name, table, number, type, size, modifier, format) each."""
    (count,) = struct.unpack_from("!H", body)
    at, found = 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        found.append((body[at:end].decode(),) + struct.unpack_from("!IhIhih", body, end + 1))
        at = end + 19
    assert at == len(body), "a RowDescription with bytes left over"
    return found


class Closed(Exception):
    """The other side ended the connection."""


class Scram:
    """The client's side of SCRAM-SHA-256(-PLUS); `spoil` names a step at which it lies."""

    def __init__(self, password, binding=None, spoil=None):
        self.password, self.binding, self.spoil = password.encode(), binding, spoil
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.gs2 = "p=tls-server-end-point,," if binding else "n,,"
        if spoil == "gs2":
            self.gs2 = "y,,"
        self.mechanism = "SCRAM-SHA-256-PLUS" if binding else "SCRAM-SHA-256"

    def initial(self):
        self.bare = "n=,r=" + self.nonce
        text = (self.gs2 + self.bare).encode()
        mechanism = "SCRAM-SHA-1" if self.spoil == "mechanism" else self.mechanism
        return message("p", cstr(mechanism) + struct.pack("!i", len(text)) + text)

    def final(self, server_first):
        first = dict(part.split("=", 1) for part in server_first.decode().split(","))
        assert first["r"].startswith(self.nonce)
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(first["s"]), int(first["i"]))
        client_key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
        stored = hashlib.sha256(client_key).digest()
        binding = self.binding or b""
        if self.spoil == "binding":
            binding = bytes(len(binding)) if binding else b"x"
        header = base64.b64encode(self.gs2.encode() + binding).decode()
        nonce = first["r"] + ("x" if self.spoil == "nonce" else "")
        without = "c=%s,r=%s" % (header, nonce)
        auth = "%s,%s,%s" % (self.bare, server_first.decode(), without)
        signature = hmac.new(stored, auth.encode(), hashlib.sha256).digest()
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        if self.spoil == "proof":
            proof = bytes([proof[0] ^ 1]) + proof[1:]
        server_key = hmac.new(salted, b"Server Key", hashlib.sha256).digest()
        self.expected = hmac.new(server_key, auth.encode(), hashlib.sha256).digest()
        return message("p", (without + ",p=" + base64.b64encode(proof).decode()).encode())

    def check(self, server_final):
        assert server_final == b"v=" + base64.b64encode(self.expected), "the server's signature is wrong"


class Raw:
    """One connection. send() gives bytes to the socket as they are; receive() takes whole messages."""

    def __init__(self, port, context=None, tls=True, direct=False, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.received = bytearray()
        self.keep = True  # a copy of every byte; switch it off for large results
        self.context = context
        if tls and not direct:
            self.socket.sendall(SSL_REQUEST)
            answer = self.socket.recv(1)
            if answer != b"S":
                raise Closed("no TLS: %r" % answer)
        if tls:
            self.wrap()

    def wrap(self):
        self.socket = self.context.wrap_socket(self.socket, server_hostname="localhost")

    def binding(self):
        """tls-server-end-point."""
        return hashlib.sha256(self.socket.getpeercert(binary_form=True)).digest()

    def send(self, *parts):
        try:
            for part in parts:
                self.socket.sendall(part)
        except (ssl.SSLError, ConnectionError, BrokenPipeError) as error:
            raise Closed(str(error)) from error

    def more(self):
        try:
            data = self.socket.recv(65536)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError) as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("end of stream")
        self.buffer += data
        if self.keep:
            self.received += data

    def receive(self):
        """(type, body)."""
        while len(self.buffer) < 5:
            self.more()
        kind, size = chr(self.buffer[0]), struct.unpack_from("!I", self.buffer, 1)[0]
        while len(self.buffer) < 1 + size:
            self.more()
        body = bytes(self.buffer[5:1 + size])
        del self.buffer[:1 + size]
        return kind, body

    def until(self, last="Z"):
        """Messages up to and with the first of type `last`."""
        found = []
        while not found or found[-1][0] not in last:
            found.append(self.receive())
        return found

    def drain(self):
        """Everything up to the end of the connection."""
        found = []
        try:
            while True:
                found.append(self.receive())
        except Closed:
            return found

    def login(self, user, database, password, plus=False, spoil=None, minor=0, send=None, **settings):
        """From the start-up packet to ReadyForQuery; the messages received. send(self, bytes) may replace sending."""
        send = send or (lambda raw, data: raw.send(data))
        send(self, startup(user, database, minor, **settings))
        found = [self.receive()]
        while found[-1][0] == "v":
            found.append(self.receive())
        if found[-1][0] != "R" or struct.unpack_from("!I", found[-1][1])[0] != 10:
            return found + (self.until("Z") if found[-1][0] == "R" else [])
        scram = Scram(password, self.binding() if plus else None, spoil)
        send(self, scram.initial())
        found.append(self.receive())
        if found[-1][0] != "R":
            return found
        send(self, scram.final(found[-1][1][4:]))
        found.append(self.receive())
        if found[-1][0] != "R":
            return found
        scram.check(found[-1][1][4:])
        found += self.until("ZE")
        for kind, body in found:
            if kind == "K":
                self.key = struct.unpack("!II", body)
        return found

    def query(self, sql):
        """What a simple query gets; one that asks for lines (COPY FROM STDIN) gets CopyFail."""
        self.send(query(sql))
        found = self.until("GZ")
        while found[-1][0] == "G":
            self.send(message("f", cstr("no lines")))
            found += self.until("GZ")
        return found

    def extended(self, sql, values=(), result_formats=()):
        """Parse, Describe statement, Bind, Describe portal, Execute, Sync."""
        self.send(parse(sql) + describe("S") + bind(values, result_formats=result_formats) + describe("P") + execute()
                  + SYNC)
        return self.until("Z")

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def open_session(stack, user="admin1", database=None, plus=True, **settings):
    """A Raw that is ready for queries."""
    raw = Raw(stack.port, stack.tls_context())
    got = raw.login(user, database or next(iter(stack.databases)), user + "-demo", plus=plus, **settings)
    if got[-1][0] != "Z":
        raise AssertionError("no login: %r" % (got,))
    return raw


def error_of(messages):
    """The fields of the first ErrorResponse, or None."""
    for kind, body in messages:
        if kind == "E":
            return fields(body)
    return None


def rows_of(messages):
    return [row(body) for kind, body in messages if kind == "D"]


def tag_of(messages):
    tags = [body[:-1].decode() for kind, body in messages if kind == "C"]
    return tags[-1] if tags else None
