"""
Forged, stolen and stale tokens, one line each: none lets anybody in, and each refusal says why. Every one has its twin in
test_good_tokens_are_taken: what is refused here differs from it in one point.
"""
import base64
import hashlib
import hmac
import json
import time

import psycopg
import pytest
import tokens
from psycopg import errors
from shared_people import SQL, login, on_record, policy, seen, set_token

KINDS = ("RSA", "EC", "Ed25519")
LOGINS = {"tok-pem": "pem", "tok-jwks": "jwks.json"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    made = {kind: tokens.Key(folder, kind, kind) for kind in KINDS}
    made.update(other=tokens.Key(folder, "other", "RSA"), other_ec=tokens.Key(folder, "other_ec", "EC"), other_ed=tokens.Key(folder, "other_ed", "Ed25519"),
                pss=tokens.Key(folder, "pss", "RSA"), enc=tokens.Key(folder, "enc", "RSA"))
    return made


@pytest.fixture(scope="module")
def stack(make_stack, keys):
    """Two logins: one with a PEM file of three keys, one with a JWK set of four (and one for encryption)."""
    jwks = {"keys": [keys["RSA"].jwk(kid="rsa", use="sig"), keys["EC"].jwk(kid="ec", alg="ES256"), keys["Ed25519"].jwk(kid="ed"),
                     keys["pss"].jwk(kid="pss", alg="PS256"), keys["enc"].jwk(kid="enc", use="enc")]}
    how = 'from = "pgvigil.token"; proof = "jwt"; keys = "%s"; issuer = "https://idp.test"; audience = "records"; %s'
    users = "users = ( %s, %s );" % (login("tok-pem", how % ("keys.pem", "")), login("tok-jwks", how % ("jwks.json", 'claim = "login";')))
    return make_stack(extra_policy=policy({"keys": [keys["EC"].jwk()]}) + [
        ("keys.pem", "".join(keys[kind].public.read_text() for kind in KINDS)), ("jwks.json", json.dumps(jwks)), ("91-tokens.cfg", users)], extra_sql=SQL)


@pytest.fixture(scope="module", params=LOGINS)
def session(stack, request):
    with stack.connect(request.param) as c:
        yield c


KID = {"RSA": "rsa", "EC": "ec", "Ed25519": "ed", "pss": "pss"}


def body(person="w02", **changes):
    """For both logins: one reads sub, the other login."""
    return tokens.claims(person, **{**{"login": person}, **changes})


def header(key, **changes):
    found = dict({"alg": key.alg, "typ": "JWT", "kid": KID.get(key.name, "rsa")}, **changes)
    return {k: v for k, v in found.items() if v is not None}


def good(keys, kind="EC", claims=None, **changes):
    return tokens.token(keys[kind], claims if claims is not None else body(), header(keys[kind], **changes))


def hs256(secret, claims=None, **changes):
    head = {k: v for k, v in dict({"alg": "HS256", "typ": "JWT", "kid": "rsa"}, **changes).items() if v is not None}
    return tokens.token(None, claims or body(), head, lambda data: hmac.new(secret, data, hashlib.sha256).digest())


def flipped(token, part):
    """One bit of a part changed, still canonical base64url."""
    parts = token.split(".")
    data = bytearray(base64.urlsafe_b64decode(parts[part] + "=="))
    data[len(data) // 2] ^= 1
    parts[part] = tokens.b64(bytes(data))
    return ".".join(parts)


def der_of(key):
    return tokens.openssl("pkey", "-in", key.private, "-pubout", "-outform", "DER")


def raw(head, claims, key):
    """Header and claims as bytes."""
    text = ("%s.%s" % (tokens.b64(head), tokens.b64(claims))).encode()
    return "%s.%s" % (text.decode(), tokens.b64(key.sign(text, key.alg)))


def texts(claims, extra):
    return (json.dumps(claims)[:-1] + extra + "}").encode()


NOW = int(time.time())
TAKEN = {
    "rsa": lambda k: good(k, "RSA"),
    "p-256": lambda k: good(k, "EC"),
    "ed25519": lambda k: good(k, "Ed25519"),
    "type of an access token": lambda k: good(k, typ="at+jwt"),
    "no type": lambda k: good(k, typ=None),
    "one of several audiences": lambda k: good(k, claims=body(aud=["ward-app", "records"])),
    "no nbf, no iat": lambda k: good(k, claims=body(nbf=None, iat=None)),
    "begins in 20 seconds": lambda k: good(k, claims=body(nbf=int(time.time()) + 20)),
    "claims of no concern": lambda k: good(k, claims=body(roles=["dba"], pgvigil={"role": "dba"}, jti="x" * 2000)),
}
REFUSED = {
    "alg none": (lambda k: tokens.b64({"alg": "none"}) + "." + tokens.b64(body()) + ".", "not signed"),
    "alg none with its signature": (lambda k: tokens.token(k["EC"], body(), {"alg": "none", "kid": "ec"}), "not signed"),
    "alg NoNe": (lambda k: tokens.b64({"alg": "NoNe"}) + "." + tokens.b64(body()) + ".", "not signed"),
    "alg empty": (lambda k: good(k, alg=""), "algorithm"),
    "alg missing": (lambda k: good(k, alg=None), "algorithm"),
    "alg is a list": (lambda k: good(k, alg=["ES256"]), "algorithm"),
    "hs256 with the public key's pem": (lambda k: hs256(k["RSA"].public.read_bytes()), "algorithm"),
    "hs256 with the public key's der": (lambda k: hs256(der_of(k["RSA"])), "algorithm"),
    "hs256 with an empty secret": (lambda k: hs256(b""), "algorithm"),
    "hs256 without a kid": (lambda k: hs256(k["RSA"].public.read_bytes(), kid=None), "algorithm|several"),
    "rs256 said of a p-256 key": (lambda k: good(k, "EC", alg="RS256", kid="ec"), "algorithm|signature"),
    "es256 said of an rsa key": (lambda k: good(k, "RSA", alg="ES256", kid="rsa"), "algorithm|signature"),
    "ps256 with a key for rs256": (lambda k: good(k, "RSA", alg="PS256"), "algorithm"),
    "rs512": (lambda k: good(k, "RSA", alg="RS512"), "algorithm"),
    "another rsa key": (lambda k: tokens.token(k["other"], body(), header(k["RSA"])), "signature"),
    "another p-256 key": (lambda k: tokens.token(k["other_ec"], body(), header(k["EC"])), "signature"),
    "another ed25519 key": (lambda k: tokens.token(k["other_ed"], body(), header(k["Ed25519"])), "signature"),
    "its own key in the header": (lambda k: tokens.token(k["other_ec"], body(), header(k["EC"], jwk=k["other_ec"].jwk())), "signature"),
    "a key's address in the header": (lambda k: tokens.token(k["other_ec"], body(), header(k["EC"], jku="https://evil.test/keys")), "signature"),
    "signature of another token": (lambda k: ".".join(good(k, claims=body("w03")).split(".")[:2] + [good(k).split(".")[2]]), "signature"),
    "a bit of the header": (lambda k: flipped(good(k, "RSA"), 0), "JSON|signature|key|algorithm|type"),
    "a bit of the claims": (lambda k: flipped(good(k, "RSA"), 1), "signature"),
    "a bit of the signature": (lambda k: flipped(good(k, "Ed25519"), 2), "signature"),
    "signature cut": (lambda k: good(k)[:-6], "signature"),
    "signature longer": (lambda k: good(k) + "AAAA", "signature"),
    "no signature": (lambda k: ".".join(good(k).split(".")[:2]) + ".", "signature"),
    "signature of zeros": (lambda k: ".".join(good(k).split(".")[:2]) + "." + tokens.b64(bytes(64)), "signature"),
    "ecdsa signature as der": (lambda k: ".".join(good(k).split(".")[:2]) + "." + tokens.b64(tokens.openssl("dgst", "-sha256", "-sign", k["EC"].private, "/dev/null")), "signature"),
    "critical extension": (lambda k: good(k, crit=["exp"], exp=1), "crit"),
    "type jwe": (lambda k: good(k, typ="JOSE+JSON"), "type"),
    "kid is a number": (lambda k: good(k, kid=1), "kid"),
    "expired a second ago": (lambda k: good(k, claims=body(exp=int(time.time()) - 1)), "expired"),
    "expired a year ago": (lambda k: good(k, claims=body(exp=NOW - 31536000)), "expired"),
    "no end": (lambda k: good(k, claims=body(exp=None)), "does not say when it ends"),
    "end is text": (lambda k: good(k, claims=body(exp=str(NOW + 600))), "no number"),
    "end never": (lambda k: good(k, claims=body(exp=1e300)), "no number"),
    "not valid yet": (lambda k: good(k, claims=body(nbf=int(time.time()) + 90)), "not valid yet"),
    "made tomorrow": (lambda k: good(k, claims=body(iat=NOW + 86400)), "future"),
    "another issuer": (lambda k: good(k, claims=body(iss="https://idp.test/")), "issuer"),
    "no issuer": (lambda k: good(k, claims=body(iss=None)), "issuer"),
    "another audience": (lambda k: good(k, claims=body(aud="billing")), "aud"),
    "no audience": (lambda k: good(k, claims=body(aud=None)), "aud"),
    "audience among other things": (lambda k: good(k, claims=body(aud={"records": True})), "aud"),
    "person twice": (lambda k: raw(header(k["EC"]), texts(body(), ', "sub": "w03", "login": "w03"'), k["EC"]), "twice"),
    "person twice, escaped": (lambda k: raw(header(k["EC"]), texts(body(), r', "s\u0075b": "w03", "l\u006fgin": "w03"'), k["EC"]), "twice"),
    "algorithm twice": (lambda k: raw(texts(header(k["EC"]), ', "alg": "none"'), body(), k["EC"]), "twice"),
    "person is a list": (lambda k: good(k, claims=body(sub=["w02"], login=["w02"])), "no text"),
    "person is a number": (lambda k: good(k, claims=body(sub=2, login=2)), "no text"),
    "person is empty": (lambda k: good(k, claims=body(sub="", login="")), "empty"),
    "person has a zero byte": (lambda k: raw(header(k["EC"]), b'{"sub": "w02\\u0000x"}', k["EC"]), "JSON"),
    "no person": (lambda k: good(k, claims=body(sub=None, login=None)), "not in it"),
    "claims are no object": (lambda k: raw(header(k["EC"]), b'["w02"]', k["EC"]), "JSON"),
    "claims are no JSON": (lambda k: raw(header(k["EC"]), b"sub=w02", k["EC"]), "JSON"),
    "claims with something behind": (lambda k: raw(header(k["EC"]), json.dumps(body()).encode() + b"{}", k["EC"]), "JSON"),
    "claims in Latin-1": (lambda k: raw(header(k["EC"]), json.dumps(body()).encode().replace(b"w02", b"w02\xe9"), k["EC"]), "JSON"),
    "padding": (lambda k: good(k).replace(".", "=.", 1), "header"),
    "plain base64": (lambda k: "+/+/." + good(k).split(".", 1)[1], "header"),
    "nine thousand bytes": (lambda k: good(k, claims=body(jti="x" * 9000)), "longer"),
    "a megabyte": (lambda k: "a" * 1000000, "longer"),
    "nested to the bottom": (lambda k: raw(header(k["EC"]), b'{"a":' + b"[" * 2500 + b"]" * 2500 + b"}", k["EC"]), "JSON"),
    "five parts": (lambda k: good(k) + ".a.b", "header.payload"),
    "one part": (lambda k: "w02", "header.payload"),
    "dots": (lambda k: "..", "header"),
    "not acted for": (lambda k: good(k, claims=body("w51")), "none of its roles"),
    "nobody": (lambda k: good(k, claims=body("no-such-person")), "no such user"),
    "the login itself": (lambda k: good(k, claims=body("tok-pem")), "none of its roles"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_good_tokens_are_taken(session, keys, name):
    session.execute("SET pgvigil.token = ''")
    set_token(session, TAKEN[name](keys))
    assert seen(session) == {"w02"}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_tokens_are_refused_and_change_nothing(session, keys, name):
    make, why = REFUSED[name]
    set_token(session, good(keys, claims=body("w05")))
    for local in ("", " LOCAL"):
        with pytest.raises((errors.InvalidAuthorizationSpecification, errors.InsufficientPrivilege), match=why) as caught:
            set_token(session, make(keys), local)
        assert "eyJ" not in str(caught.value)
    assert seen(session) == {"w05"}


@pytest.mark.parametrize("login_name, name, made, why", [
    ("tok-jwks", "a kid that nobody has", lambda k: good(k, kid="nobody"), "does not have"),
    ("tok-jwks", "another key's kid", lambda k: good(k, "EC", kid="rsa"), "algorithm"),
    ("tok-jwks", "another rsa key's kid", lambda k: good(k, "RSA", kid="pss"), "algorithm"),
    ("tok-jwks", "no kid where there are several", lambda k: good(k, kid=None), "several"),
    ("tok-jwks", "a key for encryption", lambda k: tokens.token(k["enc"], body(), header(k["enc"], kid="enc")), "does not have"),
    ("tok-jwks", "rs256 with a key for ps256", lambda k: tokens.token(k["pss"], body(), header(k["pss"], alg="RS256", kid="pss")), "algorithm"),
    ("tok-jwks", "the claim of another login", lambda k: good(k, claims=body(login=None)), "not in it"),
    ("tok-jwks", "kid that is a path", lambda k: hs256(b"", kid="/dev/null"), "does not have"),
    ("tok-jwks", "ps256 with its key", lambda k: tokens.token(k["pss"], body(), header(k["pss"], alg="PS256", kid="pss")), None),
    ("tok-pem", "any kid where keys have no names", lambda k: good(k, kid="anything"), None),
    ("tok-pem", "no kid where keys have no names", lambda k: good(k, kid=None), None),
])
def test_keys_are_told_by_their_names(stack, keys, login_name, name, made, why):
    with stack.connect(login_name) as c:
        if why is None:
            set_token(c, made(keys))
            assert seen(c) == {"w02"}, name
            return
        with pytest.raises(errors.InvalidAuthorizationSpecification, match=why):
            set_token(c, made(keys))
        with pytest.raises(errors.InsufficientPrivilege, match="acts for nobody"):
            seen(c)


def test_token_of_another_login_is_of_no_use_at_start_either(stack, keys):
    for token, why in ((good(keys, kid="nobody"), "does not have"), (good(keys, claims=body(exp=NOW - 5)), "expired")):
        with pytest.raises(psycopg.OperationalError, match=why):
            stack.connect("tok-jwks", options="-c pgvigil.token=" + token)
    with stack.connect("tok-jwks", options="-c pgvigil.token=" + good(keys)) as c:
        assert seen(c) == {"w02"}
    refused = on_record(stack, event="refused-connection", login="tok-jwks")
    assert len(refused) >= 2 and all("eyJ" not in json.dumps(r) for r in refused)
