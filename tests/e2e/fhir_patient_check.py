"""
fhir_patient_check.py: is this a Bundle of FHIR R4 (4.0.1) Patients, as the specification has it?

Data types are judged by HL7's own JSON schema, as fhir_check.py has it. Patient is not in that cutting: its elements, their types,
cardinalities, bindings and invariants stand here, written down from http://hl7.org/fhir/R4/patient.html.

    complaints(bundle) -> [sentence, ...], none for a good one
"""
import re

import jsonschema
from fhir_check import SCHEMA, VALIDATORS, of_json

# Element: (type, or the codes of its required binding; whether it repeats). All of them may be left out.
ELEMENTS = {
    "id": ("id", False), "meta": ("Meta", False), "implicitRules": ("uri", False), "language": ("code", False), "text": ("Narrative", False),
    "identifier": ("Identifier", True), "active": ("boolean", False), "name": ("HumanName", True), "telecom": ("ContactPoint", True),
    "gender": (("male", "female", "other", "unknown"), False), "birthDate": ("date", False), "deceasedBoolean": ("boolean", False),
    "deceasedDateTime": ("dateTime", False), "address": ("Address", True), "maritalStatus": ("CodeableConcept", False),
    "multipleBirthBoolean": ("boolean", False), "multipleBirthInteger": ("integer", False), "generalPractitioner": ("Reference", True),
    "managingOrganization": ("Reference", False),
}
# http://hl7.org/fhir/R4/datatypes.html#date
DATE = re.compile(r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1]))?)?")
INSTANT = re.compile(r"[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
                     r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))")
URI = re.compile(r"[a-z][a-z0-9+.-]*:\S+")
UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TYPES = {name: jsonschema.Draft6Validator({"$ref": "#/definitions/" + name, "definitions": SCHEMA["definitions"]}) for name in SCHEMA["definitions"]}


def of_value(path, kind, value):
    if isinstance(kind, tuple):
        if value not in kind:
            yield "%s is %r" % (path, value)
    elif kind == "date":
        if not isinstance(value, str) or not DATE.fullmatch(value):
            yield "%s is no date: %r" % (path, value)
    else:
        for error in TYPES[kind].iter_errors(value):
            yield "%s: %s" % (path, error.message)


def of_patient(patient):
    for name, value in patient.items():
        if name == "resourceType":
            continue
        if name not in ELEMENTS:
            yield "Patient has no %s" % name
            continue
        kind, repeats = ELEMENTS[name]
        if isinstance(value, list) != repeats:
            yield "%s is %s array" % (name, "no" if repeats else "an")
            continue
        for inner in value if repeats else [value]:
            yield from of_value(name, kind, inner)
    for identifier in patient.get("identifier", []):
        if not URI.fullmatch(identifier.get("system", "")):
            yield "identifier.system is no absolute URI: %r" % identifier.get("system")
        if not identifier.get("value"):
            yield "an identifier without a value"
    for telecom in patient.get("telecom", []):
        if "value" in telecom and "system" not in telecom:
            yield "cpt-2: a telecom with a value and no system"
    if "deceasedBoolean" in patient and "deceasedDateTime" in patient:
        yield "deceased[x] is there twice"


def complaints(bundle):
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        return ["this is no Bundle"]
    bare = dict(bundle, entry=[{k: v for k, v in e.items() if k != "resource"} for e in bundle.get("entry", [])])
    found = [e.message for e in VALIDATORS["Bundle"].iter_errors(bare)] + list(of_json(bundle))
    if bundle.get("type") != "collection":
        found.append("type is %r" % bundle.get("type"))
    if "timestamp" in bundle and not INSTANT.fullmatch(bundle["timestamp"]):
        found.append("timestamp is no instant")
    if "total" in bundle:
        found.append("bdl-1: a total in a collection")
    urls = [e.get("fullUrl") for e in bundle.get("entry", [])]
    if len(set(urls)) != len(urls) or not all(u and UUID.fullmatch(u) for u in urls):
        found.append("bdl-7: fullUrl is not there once each")
    for entry in bundle.get("entry", []):
        resource = entry.get("resource")
        if not isinstance(resource, dict) or resource.get("resourceType") != "Patient":
            found.append("an entry that is no Patient")
        else:
            found += list(of_patient(resource))
    return found
