"""
Data for test_scan.py: values that are about people, and values that are not and try to look like it. Check digits are computed
here, from the published rules, and not by pgvigil; the names are those of the clinic's data and made-up ones beside them.
"""
import hashlib
import random
import re
import uuid

import harness

ROWS = 300


def words(kind):
    """A list of the clinic's data.sql."""
    text = (harness.CLINIC / "data.sql").read_text(encoding="utf-8")
    inside = re.search(r"\('%s', '\{(.*?)\}'\)" % kind, text).group(1)
    return [word.strip('"').replace("''", "'") for word in inside.split(",")]


FAMILY = words("family")
GIVEN = words("F") + words("M")
STREETS = words("street")
SYLLABLES = "ba be bo da de du fa fi ga go ka ke la lo ma mi na no pa ri ro sa so ta ti va vo za".split()
TOWNS = "Lyon Villeurbanne Vienne Grenoble Annonay Valence Roanne Crest Privas Gap Die Nyons Leipzig Halle Dresden Chemnitz".split()
ATC = "N02BE01 B01AB05 C07AB07 C09AA05 A10BA02 J01CR02 N05BA12 N06AB06 R03AC02 C10AA05 N02AA01 J05AR10".split()
MEDICINE = "douleur fièvre toux depuis hier sans avec thoracique abdominale repos contrôle examen clinique normal persistante traitement suivi".split()
PLAIN = "la page suivante montre comment le système range les fichiers dans une file avant de les traiter la nuit sans erreur connue".split()


def invented(r):
    return "".join(r.choice(SYLLABLES) for _ in range(r.randint(2, 4))).capitalize()


def given(r):
    """Seven in ten are frequent ones."""
    return r.choice(GIVEN) if r.random() < 0.7 else invented(r)


def family(r):
    return r.choice(FAMILY) if r.random() < 0.35 else invented(r)


def luhn(digits):
    total = sum(int(d) * 2 - 9 * (int(d) > 4) if i % 2 == 0 else int(d) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def nir(r):
    body = "%d%02d%02d%s%03d%03d" % (r.randint(1, 2), r.randint(0, 99), r.randint(1, 12), r.choice(["2A", "2B", "69", "75", "13"]), r.randint(1, 600), r.randint(1, 999))
    return body + "%02d" % (97 - int(body.replace("2A", "19").replace("2B", "18")) % 97)


def iban(r):
    account = "".join(r.choice("0123456789") for _ in range(23))
    return "FR%02d%s" % (98 - int(account + "152700") % 97, account)


def ean(first, r):
    digits = first + "".join(r.choice("0123456789") for _ in range(12 - len(first)))
    return digits + str(-sum(int(d) * (1 if i % 2 == 0 else 3) for i, d in enumerate(digits)) % 10)


def phone(r):
    return r.choice(["06 %02d %02d %02d %02d", "04.%02d.%02d.%02d.%02d", "+336%02d%02d%02d%02d"]) % tuple(r.randint(0, 99) for _ in range(4))


def email(r):
    return "%s.%s%d@courriel.example" % (invented(r).lower(), invented(r).lower(), r.randint(1, 99))


def day(r, first, last):
    return "%04d-%02d-%02d" % (r.randint(first, last), r.randint(1, 12), r.randint(1, 28))


def prose(r, vocabulary=None):
    return " ".join(r.choice(vocabulary or MEDICINE) for _ in range(r.randint(7, 14)))


def letter(r):
    return "Cher confrère, %s %s, né le %s, a été vu : %s. Rappeler au %s." % (given(r), family(r).upper(), "/".join(reversed(day(r, 1930, 2015).split("-"))), prose(r), phone(r))


def loinc(r):
    digits = luhn(str(r.randint(100, 99999)))
    return digits[:-1] + "-" + digits[-1]


# What a truth file calls its columns' kinds.
PEOPLE = {
    "given": given, "family": family, "full": lambda r: given(r) + " " + family(r), "nir": nir, "iban": iban, "phone": phone, "email": email,
    "rpps": lambda r: luhn("10%08d" % r.randint(0, 99999999)), "siret": lambda r: luhn("%013d" % r.randint(10**12, 10**13 - 1)),
    "cip13": lambda r: ean("34009", r), "birth": lambda r: day(r, 1925, 2020), "birthtext": lambda r: day(r, 1925, 2020).replace("-", ""), "date": lambda r: day(r, 2019, 2024),
    "street": lambda r: "%d %s" % (r.randint(1, 180), r.choice(STREETS)), "city": lambda r: r.choice(TOWNS),
    "postcode": lambda r: "%05d" % r.randint(1000, 95999), "gender": lambda r: r.choice("mf"), "title": lambda r: r.choice(["Dr", "Mme", "M.", "Pr"]),
    "time": lambda r: "%02d:%02d:00" % (r.randint(0, 23), r.randint(0, 59)), "login": lambda r: invented(r).lower(), "company": lambda r: "AOK " + invented(r),
    "country": lambda r: r.choice(["FR", "DE", "BE", "CH"]), "prose": prose, "letter": letter, "atc": lambda r: r.choice(ATC), "loinc": loinc,
    "icd10": lambda r: "%s%02d.%d" % (r.choice("ABCDEFGHIJKLMNOPQRSTZ"), r.randint(0, 99), r.randint(0, 9)), "drug": lambda r: invented(r).lower(),
    "code": lambda r: "%s-%d" % (r.choice(["K", "L", "M"]), r.randint(100, 999)), "currency": lambda r: "EUR", "amount": lambda r: "%.2f" % (r.random() * 200),
    "number": lambda r: "%.1f" % (r.random() * 20), "bool": lambda r: r.choice("tf"),
}


def digits(length):
    return lambda r, i: "".join(r.choice("0123456789") for _ in range(length))


# What is nobody's: (r, number of the row) -> value. Constants are valid ones, the worst that a constant can be.
TEXTS = {"digits-%d" % n: digits(n) for n in (5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 22)}
TEXTS.update({
    "count": lambda r, i: "%d" % (i + 1), "count-7": lambda r, i: "%07d" % (i + 1), "count-10": lambda r, i: "%010d" % (600000000 + i),
    "count-11": lambda r, i: "%011d" % (10000000000 + i), "count-15": lambda r, i: "%015d" % (184057500000000 + i), "count-13": lambda r, i: "%013d" % (1840575000001 + i),
    "constant-nir": lambda r, i: "284058832102532", "constant-email": lambda r, i: "noreply@example.org", "constant-phone": lambda r, i: "04 72 00 10 01",
    "constant-date": lambda r, i: "1961-05-30", "constant-name": lambda r, i: "Martin", "constant-loinc": lambda r, i: "2345-7", "two-rpps": lambda r, i: r.choice(["10000000017", "10000000025"]),
    "word": lambda r, i: r.choice(PLAIN), "status": lambda r, i: r.choice(["new", "open", "done", "stalled"]), "letter": lambda r, i: r.choice("ABCDE"),
    "bed": lambda r, i: "%s%02d" % (r.choice("ABCDEF"), r.randint(0, 40)), "version": lambda r, i: "V%d.%d" % (r.randint(10, 12), r.randint(0, 9)),
    "plate": lambda r, i: "".join(r.choice("ABCDEFGHJKLMNP") for _ in range(4)) + "%03d" % r.randint(0, 999),
    "article": lambda r, i: "%s%02d%s%s%02d" % (r.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), r.randint(0, 99), r.choice("ABCDEFGHIJ"), r.choice("ABCDEFGHIJ"), r.randint(0, 99)),
    "ean": lambda r, i: ean("400", r), "sentence": lambda r, i: prose(r, PLAIN), "invented": lambda r, i: invented(r), "two-words": lambda r, i: invented(r) + " " + invented(r),
    "milliseconds": lambda r, i: str(1700000000000 + r.randint(0, 10**11)), "day": lambda r, i: day(r, 1900, 2090), "hyphen": lambda r, i: "%d-%d" % (r.randint(100, 99999), r.randint(0, 9)),
    "path": lambda r, i: "/srv/%s/%s.dat" % (invented(r).lower(), invented(r).lower()), "at": lambda r, i: "@%s" % invented(r).lower(), "iban-like": lambda r, i: "FR" + digits(25)(r, i),
    "dashed": lambda r, i: "%02d-%02d-%02d" % tuple(r.randint(0, 99) for _ in range(3)), "decimal": lambda r, i: "%.3f" % (r.random() * 1e4), "base64": lambda r, i: "".join(r.choice("abcXYZ0189+/") for _ in range(20)),
    "seat": lambda r, i: "Place %d" % r.randint(1, 400), "course": lambda r, i: "Cours de %s" % invented(r).lower(), "zone": lambda r, i: "Zone %d %s" % (r.randint(1, 90), r.choice(PLAIN)),
    "class": lambda r, i: "App::%s" % invented(r), "sorted-day": lambda r, i: "19%02d-%02d-%02d" % (20 + i // 10, 1 + i % 10, 1 + i % 28),
})
MACHINES = {"md5": lambda r, i: hashlib.md5(str(r.random()).encode()).hexdigest(), "uuid": lambda r, i: str(uuid.UUID(int=r.getrandbits(128))),
            "ip": lambda r, i: ".".join(str(r.randint(0, 255)) for _ in range(4))}
NUMBERS = {"random": lambda r, i: r.randint(0, 30000), "count": lambda r, i: i + 1, "constant": lambda r, i: 7}
WIDE = dict(NUMBERS, **{"digits-%d" % n: (lambda n: lambda r, i: r.randint(10**(n - 1), 10**n - 1))(n) for n in (9, 10, 11, 13, 14, 15)})
WIDE["seconds"] = lambda r, i: 1700000000 + r.randint(0, 10**7)
DAYS = {"any": lambda r, i: day(r, 1900, 2090), "past": lambda r, i: day(r, 1900, 2020), "recent": lambda r, i: day(r, 2020, 2024), "count": TEXTS["sorted-day"], "constant": TEXTS["constant-date"]}


def nobody(kind, key, seed):
    """(name of the generator, generator) for a column of a type: by the column's name and the seed."""
    kinds = {"text": dict(TEXTS, **MACHINES), "date": DAYS, "int": NUMBERS, "wide": WIDE}[kind]
    name = sorted(kinds)[random.Random("%s %s" % (key, seed)).randrange(len(kinds))]
    return name, kinds[name]
