"""
`pgvigil subject portability` as FHIR: the Patient that the policy's fhir_patient makes of a row is one by the specification, and says
what the row says; what cannot stand in FHIR is left out and told.

Judged by fhir_patient_check.py; values are compared with the row, read beside pgvigil.
"""
import copy
import json
import shutil

import documents
import fhir_patient_check
import pytest

MAPPING = """
fhir_patient = {
  table = "public.patients";
  identifier = ( { system = "https://tilleuls.example.fr/patients"; value = "patients.id"; use = "usual"; },
                 { system = "ins-nir"; value = "patients.nir"; use = "official"; } );
  family = "patients.family_name";
  given = "string_to_array(patients.given_name, '-')";
  birthDate = "patients.birth_date";
  gender = { value = "patients.sex"; map = ( { from = "F"; to = "female"; }, { from = "M"; to = "male"; } ); };
  telecom = ( { system = "phone"; value = "patients.phone"; use = "home"; }, { system = "email"; value = "patients.email"; } );
  address = { line = "patients.address"; city = "patients.city"; postalCode = "patients.postcode"; country = "'FR'"; use = "home"; };
};
"""


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(extra_policy=[("95-fhir.cfg", MAPPING)], config=documents.ORGANISATION, serve=False, deploy=False)


@pytest.fixture(scope="module")
def other(stack):
    """other(text, old, new): a configuration whose mapping is another one."""
    made = []

    def make(text):
        folder = stack.folder / ("policy %d" % len(made))
        made.append(folder)
        shutil.copytree(stack.policy, folder)
        (folder / "95-fhir.cfg").write_text(text, encoding="utf-8")
        config = stack.folder / ("other %d.cfg" % len(made))
        config.write_text(stack.config_file.read_text().replace('policy = "policy"', 'policy = "%s"' % folder.name))
        return config

    return make


def portability(stack, patient, *more, config=None):
    return stack.command("subject", "portability", "-c", config or stack.config_file, "--as", stack.dba(), "--patient", patient, *more, check=False)


def fhir(stack, patient, config=None):
    done = portability(stack, patient, "--format", "fhir", config=config)
    return done, json.loads(done.stdout) if done.stdout else None


def row(stack, patient):
    with stack.superuser() as c:
        names = ("id", "nir", "family_name", "given_name", "sex", "birth_date", "phone", "email", "address", "postcode", "city")
        return dict(zip(names, c.execute("SELECT %s FROM patients WHERE id = %%s" % ", ".join(n + "::text" for n in names), (patient,)).fetchone()))


def test_every_patient_is_one_by_the_specification(stack):
    for patient in (1, 2, 3, 37, 100, 250, 599):
        done, bundle = fhir(stack, patient)
        assert done.returncode == 0, done.stderr
        assert fhir_patient_check.complaints(bundle) == []
        ((entry,), person) = (bundle["entry"], row(stack, patient))
        resource = entry["resource"]
        assert resource["identifier"] == [
            {"system": "https://tilleuls.example.fr/patients", "use": "usual", "value": str(patient)},
            {"system": "urn:oid:1.2.250.1.213.1.4.8", "use": "official", "value": person["nir"]}]
        assert resource["name"] == [{"family": person["family_name"], "given": person["given_name"].split("-")}]
        assert resource["birthDate"] == person["birth_date"] and resource["gender"] == {"F": "female", "M": "male"}[person["sex"]]
        telecom = [dict({"system": s, "value": person[n]}, **({"use": "home"} if n == "phone" else {}))
                   for s, n in (("phone", "phone"), ("email", "email")) if person[n]]
        assert resource.get("telecom", []) == telecom
        assert resource["address"] == [{"line": [person["address"]], "city": person["city"], "postalCode": person["postcode"], "country": "FR", "use": "home"}]


def test_it_stands_beside_all_the_rest(stack):
    done = portability(stack, 61)
    data = json.loads(done.stdout)
    assert done.returncode == 0 and fhir_patient_check.complaints(data["fhir"]) == []
    assert {t["table"] for t in data["tables"]} >= {"public.patients", "public.stays"}
    with_one = data["fhir"]["entry"][0]["resource"]
    assert with_one == fhir(stack, 61)[1]["entry"][0]["resource"]
    assert [r["event"] for r in stack.audit_records() if r.get("patient") == "61"] == ["subject-portability"] * 2


def test_without_a_mapping_there_is_none(stack, other):
    config = other("")
    done = portability(stack, 37, config=config)
    assert done.returncode == 0 and "fhir" not in json.loads(done.stdout)
    done, bundle = fhir(stack, 37, config=config)
    assert done.returncode == 2 and 'no "fhir_patient"' in done.stderr and bundle is None
    assert portability(stack, 37, "--format", "html").returncode == 2


def test_nothing_is_empty_where_nothing_is_known(stack):
    with stack.superuser() as c:
        c.execute("UPDATE patients SET phone = NULL, email = '  ', given_name = '', address = '', city = ' ' WHERE id = 41")
    done, bundle = fhir(stack, 41)
    assert done.returncode == 0 and fhir_patient_check.complaints(bundle) == []
    resource = bundle["entry"][0]["resource"]
    assert "telecom" not in resource and "given" not in resource["name"][0] and "line" not in resource["address"][0]


@pytest.mark.parametrize("country,there", [("'FR'", False), ("'FR'::text", False), ("(text 'FR')", True), ("left(patients.nir, 1)", True), ("patients.sex", True)])
def test_a_country_that_the_policy_says_of_everyone_is_no_address(country, there, stack, other):
    """Of whom nothing else is known; where a column says it, or another part is there, it is one."""
    config = other(MAPPING.replace("'FR'", country).replace('postalCode = "patients.postcode"; ', ""))
    with stack.superuser() as c:
        c.execute("UPDATE patients SET address = '', city = ' ' WHERE id = 43")
    done, bundle = fhir(stack, 43, config=config)
    assert done.returncode == 0 and fhir_patient_check.complaints(bundle) == [], done.stderr
    assert ("address" in bundle["entry"][0]["resource"]) == there
    with stack.superuser() as c:
        c.execute("UPDATE patients SET city = 'Nantes' WHERE id = 43")
    (address,) = fhir(stack, 43, config=config)[1]["entry"][0]["resource"]["address"]
    assert address["city"] == "Nantes" and "country" in address


BAD = {
    "birthDate": ("patients.birth_date", "patients.birth_date::timestamp", "birthDate: no date"),
    "infinity": ('birthDate = "patients.birth_date"', "birthDate = \"date 'infinity'\"", "birthDate: no date"),
    "a day that there is not": ('birthDate = "patients.birth_date"', "birthDate = \"text '1985-02-30'\"", "birthDate: no date"),
    "a leap day of 1900": ('birthDate = "patients.birth_date"', "birthDate = \"text '1900-02-29'\"", "birthDate: no date"),
    "before Christ": ('birthDate = "patients.birth_date"', "birthDate = \"date '0044-03-15 BC'\"", "birthDate: no date"),
    "gender": ('{ from = "M"; to = "male"; }', '{ from = "X"; to = "other"; }', 'gender: "map" has no word'),
    "gender without a map": ('map = ( { from = "F"; to = "female"; }, { from = "M"; to = "male"; } );', "", 'gender: "map" has no word'),
    "given": ("string_to_array(patients.given_name, '-')", "jsonb_build_object('a', 1)", "given: neither a text"),
    "control characters": ("patients.family_name", "E'a\\\\x07b'", "family: the value has control characters"),
}


@pytest.mark.parametrize("what", sorted(BAD))
def test_what_cannot_stand_in_fhir_is_left_out_and_told(what, stack, other):
    old, new, told = BAD[what]
    assert MAPPING.count(old) == 1
    config = other(MAPPING.replace(old, new))
    with stack.superuser() as c:
        (patient,) = c.execute("SELECT min(id) FROM patients WHERE sex = 'M' AND id > 50").fetchone()
    done, bundle = fhir(stack, patient, config=config)
    assert done.returncode == 1 and told in done.stderr and "95-fhir.cfg:" in done.stderr, done.stderr
    assert fhir_patient_check.complaints(bundle) == []
    element = told.split(":")[0]
    resource = bundle["entry"][0]["resource"]
    assert element not in resource and element not in resource["name"][0]


def test_an_expression_that_is_wrong_is_named(stack, other):
    done, bundle = fhir(stack, 37, config=other(MAPPING.replace("patients.city", "patients.town")))
    assert done.returncode == 3 and bundle is None and "95-fhir.cfg:" in done.stderr and "town" in done.stderr
    done, bundle = fhir(stack, 37, config=other(MAPPING.replace("patients.family_name", "patients.id::numeric / 0")))
    assert done.returncode == 3 and bundle is None


def test_a_mapping_changes_no_guard(stack, other):
    """The generation is that of a policy without it: nothing is to be deployed."""
    def generation(config):
        done = stack.command("register", "-c", config, "--format", "json", check=False)
        return json.loads(done.stdout)["generation"]

    assert generation(stack.config_file) == generation(other(""))


def test_the_check_can_fail(stack):
    """The independent check, on what is wrong."""
    _, good = fhir(stack, 37)

    def wrong(change):
        bundle = copy.deepcopy(good)
        change(bundle, bundle["entry"][0]["resource"])
        return fhir_patient_check.complaints(bundle)

    changes = [
        lambda b, r: r.update(gender="M"), lambda b, r: r.update(birthDate="1951-2-3"), lambda b, r: r.update(birthDate="1951-02-03T00:00:00"),
        lambda b, r: r.update(name=[]), lambda b, r: r.update(name={"family": "x"}), lambda b, r: r["name"][0].update(given="x"),
        lambda b, r: r["telecom"].append({"value": "x"}), lambda b, r: r["telecom"].append({"system": "telephone", "value": "x"}),
        lambda b, r: r["identifier"][0].update(system="nir"), lambda b, r: r["identifier"][0].update(use="primary"),
        lambda b, r: r["address"][0].update(postcode="1"), lambda b, r: r["address"][0].update(city=""), lambda b, r: r["address"][0].update(line="x"),
        lambda b, r: r.update(nir="1"), lambda b, r: r.update(active=None), lambda b, r: b.update(type="bundle"), lambda b, r: b.update(timestamp="2026-11-27"),
        lambda b, r: b["entry"].append(copy.deepcopy(b["entry"][0])), lambda b, r: b["entry"][0].pop("fullUrl"), lambda b, r: b.update(total=1),
    ]
    with stack.superuser() as c:
        c.execute("UPDATE patients SET phone = '0600000000' WHERE id = 37")
    _, good = fhir(stack, 37)
    assert fhir_patient_check.complaints(good) == []
    for number, change in enumerate(changes):
        assert wrong(change), number
