"""
fhir_check.py: is this a FHIR R4 (4.0.1) AuditEvent, as its StructureDefinition has it?

Two halves. fhir_r4_schema.json is HL7's own JSON schema, cut out (it says how); jsonschema judges by it. What a JSON schema of FHIR
leaves out stands here, written down from http://hl7.org/fhir/R4/auditevent.html: elements that must be there, bindings with their codes,
invariants, and the JSON format's rules (http://hl7.org/fhir/R4/json.html: nothing is empty, nothing is null).

    complaints(resource) -> [sentence, ...], none for a good one
"""
import base64
import binascii
import json
import pathlib
import re

import jsonschema

SCHEMA = json.loads((pathlib.Path(__file__).parent / "fhir_r4_schema.json").read_text(encoding="utf-8"))
VALIDATORS = {name: jsonschema.Draft6Validator({"$ref": "#/definitions/" + name, "definitions": SCHEMA["definitions"]})
              for name in ("AuditEvent", "Bundle")}

DCM = "http://dicom.nema.org/resources/ontology/DCM"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"

# AuditEvent's own elements: path, cardinality (http://hl7.org/fhir/R4/auditevent-definitions.html).
CARDINALITY = [
    ("type", 1, 1), ("subtype", 0, None), ("action", 0, 1), ("period", 0, 1), ("recorded", 1, 1), ("outcome", 0, 1),
    ("outcomeDesc", 0, 1), ("purposeOfEvent", 0, None), ("agent", 1, None), ("source", 1, 1), ("entity", 0, None),
    ("agent.type", 0, 1), ("agent.role", 0, None), ("agent.who", 0, 1), ("agent.altId", 0, 1), ("agent.name", 0, 1),
    ("agent.requestor", 1, 1), ("agent.location", 0, 1), ("agent.policy", 0, None), ("agent.media", 0, 1), ("agent.network", 0, 1),
    ("agent.network.address", 0, 1), ("agent.network.type", 0, 1), ("agent.purposeOfUse", 0, None),
    ("source.site", 0, 1), ("source.observer", 1, 1), ("source.type", 0, None),
    ("entity.what", 0, 1), ("entity.type", 0, 1), ("entity.role", 0, 1), ("entity.lifecycle", 0, 1), ("entity.securityLabel", 0, None),
    ("entity.name", 0, 1), ("entity.description", 0, 1), ("entity.query", 0, 1), ("entity.detail", 0, None),
    ("entity.detail.type", 1, 1),
]

# Required bindings.
REQUIRED = {"action": set("CRUDE"), "outcome": {"0", "4", "8", "12"}, "agent.network.type": set("12345")}

# Codes of the published systems that extensible bindings name; a code of one of these systems must be one of its codes.
PURPOSES = set("""HMARKT HOPERAT CAREMGT DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS HPRGRP HQUALIMP HSYSADMIN LABELING
    METAMGT MEMADMIN MILCDM PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV HTEST TRAIN HPAYMT CLMATTCH COVAUTH COVERAGE ELIGDTRM ELIGVER ENROLLM
    MILDCRG REMITADV HRESCH BIORCH CLINTRCH CLINTRCHNPC CLINTRCHPC PRECLINTRCH DSRCH POARCH TRANSRCH PATRQT FAMRQT PWATRNY SUPNWK PUBHLTH
    DISASTER THREAT TREAT CLINTRL COC ETREAT BTG ERTREAT POPHLTH TREATDS""".split())
CODES = {
    ("type", DCM): {str(n) for n in range(110100, 110115)},
    ("subtype", DCM): {str(n) for n in range(110120, 110143)},
    ("agent.type.coding", DCM): {str(n) for n in range(110150, 110156)},
    ("agent.type.coding", TERMINOLOGY + "v3-ParticipationType"): {"AUT", "IRCP"},
    ("source.type", TERMINOLOGY + "security-source-type"): set("123456789"),
    ("entity.type", TERMINOLOGY + "audit-entity-type"): set("1234"),
    ("entity.role", TERMINOLOGY + "object-role"): {str(n) for n in range(1, 25)},
    ("purposeOfEvent.coding", TERMINOLOGY + "v3-ActReason"): PURPOSES,
    ("agent.purposeOfUse.coding", TERMINOLOGY + "v3-ActReason"): PURPOSES,
}
STRING = re.compile(r"[ \r\n\t\S]+")


def at(value, path):
    """Every value at a dotted path, through arrays."""
    values = [value]
    for name in path.split(".") if path else []:
        found = []
        for v in values:
            inner = v.get(name, []) if isinstance(v, dict) else []
            found += inner if isinstance(inner, list) else [inner]
        values = found
    return values


def parents(resource, path):
    return at(resource, path.rpartition(".")[0])


def of_json(value, path=""):
    """http://hl7.org/fhir/R4/json.html: properties are never empty, null, or arrays of nothing; strings are FHIR's."""
    if isinstance(value, dict):
        if not value:
            yield "%s is an empty object" % path
        for name, inner in value.items():
            yield from of_json(inner, path + "." + name)
    elif isinstance(value, list):
        if not value:
            yield "%s is an empty array" % path
        for inner in value:
            yield from of_json(inner, path + "[]")
    elif value is None:
        yield "%s is null" % path
    elif isinstance(value, str):
        if not value.strip():
            yield "%s is empty" % path
        if not STRING.fullmatch(value) or any(ord(c) < 32 and c not in "\t\r\n" for c in value):
            yield "%s is not a FHIR string: %r" % (path, value)


def of_structure(resource):
    for path, least, most in CARDINALITY:
        name = path.rpartition(".")[2]
        for parent in parents(resource, path):
            inner = parent.get(name)
            count = 0 if inner is None else len(inner) if isinstance(inner, list) else 1
            if count < least:
                yield "%s is missing" % path
            if inner is not None and isinstance(inner, list) != (most is None):
                yield "%s is %s array" % (path, "an" if isinstance(inner, list) else "no")
    for path, codes in REQUIRED.items():
        for value in at(resource, path):
            if value not in codes:
                yield "%s is %r" % (path, value)


def of_codes(resource):
    for path in sorted({path for path, _ in CODES}):
        for coding in at(resource, path):
            system, code = coding.get("system"), coding.get("code")
            if not system or not code:
                yield "%s has a coding without system or code" % path
            elif (path, system) in CODES:
                if code not in CODES[path, system]:
                    yield "%s: %s has no code %s here" % (path, system, code)
            elif not system.startswith("urn:pgvigil:"):
                yield "%s: %s is not of the binding, nor ours" % (path, system)
    types = at(resource, "type")
    if types and types[0].get("system") != DCM:
        yield "type is none of DICOM's"


def of_invariants(resource):
    for entity in at(resource, "entity"):
        if "name" in entity and "query" in entity:
            yield "sev-1: an entity with a name and a query"
        if "query" in entity:
            if "detail" in entity:
                yield "the query's entity has details"
            try:
                base64.b64decode(entity["query"], validate=True).decode("utf-8")
            except (binascii.Error, UnicodeDecodeError):
                yield "entity.query is no base64 of a text"
        for detail in entity.get("detail", []):
            if len([k for k in detail if k.startswith("value")]) != 1:
                yield "entity.detail.value[x] is not there once"
    for path in ("agent.who", "source.observer", "entity.what"):
        for reference in at(resource, path):
            if not {"reference", "identifier", "display"} & set(reference):
                yield "ref: %s refers to nothing" % path
            if str(reference.get("reference", "")).startswith("#"):
                yield "ref-1: %s refers to what is not contained" % path
    for period in at(resource, "period"):
        if period.get("start", "") > period.get("end", "9"):
            yield "per-1: the period ends before it starts"
    if len([a for a in at(resource, "agent") if a.get("requestor") is True]) > 1:
        yield "more than one agent is the requestor"


def complaints(resource):
    kind = resource.get("resourceType")
    if kind not in VALIDATORS:
        return ["resourceType is %r" % kind]
    found = ["%s: %s" % ("/".join(map(str, e.path)), e.message) for e in VALIDATORS[kind].iter_errors(resource)]
    found += of_json(resource)
    if kind == "AuditEvent":
        found += list(of_structure(resource)) + list(of_codes(resource)) + list(of_invariants(resource))
    for entry in resource.get("entry", []):
        found += complaints(entry["resource"])
    return found
