"""
tokens.py: keys and signed tokens for tests, made with the openssl command and independent of pgvigil: the forger's tools as well.
"""
import base64
import json
import pathlib
import re
import subprocess
import tempfile
import time


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def openssl(*args, text=None):
    return subprocess.run(["openssl", *map(str, args)], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True).stdout


class Key:
    """A private key of a kind ("RSA", "EC", "Ed25519", ...) in a folder, with its public half beside it."""

    KINDS = {"RSA": ("RSA", "rsa_keygen_bits:2048"), "RSA1024": ("RSA", "rsa_keygen_bits:1024"), "EC": ("EC", "ec_paramgen_curve:P-256"),
             "P384": ("EC", "ec_paramgen_curve:P-384"), "Ed25519": ("ED25519",)}
    ALG = {"RSA": "RS256", "RSA1024": "RS256", "EC": "ES256", "P384": "ES384", "Ed25519": "EdDSA"}

    def __init__(self, folder, name, kind="RSA"):
        self.kind, self.name, self.alg = kind, name, self.ALG[kind]
        self.private = pathlib.Path(folder) / (name + ".key")
        self.public = pathlib.Path(folder) / (name + ".pem")
        algorithm, *options = self.KINDS[kind]
        openssl("genpkey", "-algorithm", algorithm, *[part for o in options for part in ("-pkeyopt", o)], "-out", self.private)
        openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    def sign(self, data, alg=None):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            if self.kind == "Ed25519":
                return openssl("pkeyutl", "-sign", "-inkey", self.private, "-rawin", "-in", file.name)
            pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if alg == "PS256" else []
            made = openssl("dgst", "-sha256", "-sign", self.private, *pss, file.name)
        return raw_ecdsa(made) if self.kind == "EC" else made

    def jwk(self, **more):
        der = openssl("pkey", "-in", self.private, "-pubout", "-outform", "DER")
        if self.kind == "EC":
            found = {"kty": "EC", "crv": "P-256", "x": b64(der[-64:-32]), "y": b64(der[-32:])}
        elif self.kind == "Ed25519":
            found = {"kty": "OKP", "crv": "Ed25519", "x": b64(der[-32:])}
        else:
            text = openssl("pkey", "-in", self.private, "-pubout", "-noout", "-text").decode()
            modulus = re.search(r"Modulus:\n([\s0-9a-f:]+)Exponent", text).group(1)
            found = {"kty": "RSA", "n": b64(bytes.fromhex(re.sub(r"[^0-9a-f]", "", modulus)).lstrip(b"\0")), "e": b64(b"\1\0\1")}
        return dict(found, **more)


def raw_ecdsa(der):
    """r and s of an ECDSA signature, 32 bytes each."""
    assert der[0] == 0x30
    at, out = 2, b""
    for _ in range(2):
        size = der[at + 1]
        out += der[at + 2:at + 2 + size].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + size
    return out


def claims(person="w01", **changes):
    """The claims of a good token; a value None leaves the claim out."""
    now = int(time.time())
    found = {"iss": "https://idp.test", "aud": "records", "sub": person, "iat": now, "nbf": now, "exp": now + 600}
    found.update(changes)
    return {k: v for k, v in found.items() if v is not None}


def token(key, body, header=None, sign=None):
    """A token of claims (or raw bytes of them), signed by `key`; `sign` makes the signature of the signed text instead."""
    head = header if header is not None else {"alg": key.alg, "typ": "JWT"}
    text = ("%s.%s" % (b64(head), b64(body))).encode()
    alg = head.get("alg") if isinstance(head, dict) else None
    return "%s.%s" % (text.decode(), b64((sign or (lambda data: key.sign(data, alg)))(text)))
