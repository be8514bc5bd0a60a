"""
The application's reads through the ORM; prints one JSON object: {name: rows, or [class of the error, SQLSTATE]}.

Each is a function of no argument that gives something comparable: lists are printed as they come, so they must be ordered.
"""
import json

import django

django.setup()

from clinic.models import Patient, Practitioner, Result, Salary, Stay, Ward  # noqa: E402
from django.core.paginator import Paginator  # noqa: E402
from django.db import Error, connection, models, transaction  # noqa: E402
from django.db.models import (Avg, Case, Count, DecimalField, Exists, ExpressionWrapper, F, Max, Min, OuterRef, Prefetch, Q, StdDev, Subquery, Sum, Value,  # noqa: E402
                              When, Window)
from django.db.models.functions import (Cast, Coalesce, Concat, ExtractYear, Greatest, Length, Lower, Rank, RowNumber, Substr, TruncMonth, Upper)  # noqa: E402

patients = Patient.objects.defer("nir").order_by("id")


def names(query):
    return [p.family_name for p in query]


def page(number):
    found = Paginator(patients, 15).page(number)
    return [p.pk for p in found], found.paginator.count, found.paginator.num_pages, found.has_next()


def prefetched():
    wards = Ward.objects.order_by("id").prefetch_related(Prefetch("patients", queryset=patients), "practitioners")
    return [(w.code, [p.pk for p in w.patients.all()], sorted(d.rpps for d in w.practitioners.all())) for w in wards]


def raw_cursor():
    with connection.cursor() as cursor:
        cursor.execute("SELECT sex, count(*) FROM clinic_patient WHERE family_name <> %s GROUP BY sex ORDER BY sex", ["Martin"])
        return cursor.fetchall()


def in_transaction():
    with transaction.atomic():
        first = patients.count()
        try:
            with transaction.atomic():
                list(Salary.objects.all())
        except Error:
            pass
        return first, patients.count()


latest = Stay.objects.filter(patient=OuterRef("pk")).order_by("-admitted_at", "-id")

READS = {
    "all": lambda: names(patients),
    "get": lambda: patients.get(pk=patients.first().pk).given_name,
    "get missing": lambda: patients.filter(pk=10 ** 9).first(),
    "count": lambda: [m.objects.count() for m in (Ward, Practitioner, Stay, Result)] + [patients.count()],
    "exists": lambda: (patients.filter(sex="F").exists(), patients.filter(sex="X").exists()),
    "filter": lambda: names(patients.filter(sex="F", birth_date__year__gte=1980)),
    "exclude": lambda: names(patients.exclude(email=None).exclude(family_name__startswith="M")),
    "icontains": lambda: names(patients.filter(family_name__icontains="ar")),
    "iexact": lambda: names(patients.filter(family_name__iexact="d'ANGELO")),
    "regex": lambda: names(patients.filter(family_name__regex="^(Le|Du)", given_name__iregex="r")),
    "in": lambda: names(patients.filter(pk__in=list(range(1, 60)))),
    "in query": lambda: names(patients.filter(ward__in=Ward.objects.filter(beds__gt=5))),
    "range and dates": lambda: [s.pk for s in Stay.objects.filter(admitted_at__date__range=("2024-02-01", "2024-04-30"), discharged_at__isnull=False)],
    "weekday": lambda: [s.pk for s in Stay.objects.filter(admitted_at__week_day=2, admitted_at__hour__gte=6)],
    "span relation": lambda: [s.pk for s in Stay.objects.filter(patient__ward__code="W1", attending__specialty__isnull=True)],
    "reverse relation": lambda: names(patients.filter(stays__diagnosis="J05").distinct()),
    "Q": lambda: names(patients.filter(Q(sex="M") & (Q(family_name="Petit") | ~Q(ward__code="W2")))),
    "F": lambda: [s.pk for s in Stay.objects.filter(ward=F("patient__ward"))],
    "F arithmetic": lambda: list(Ward.objects.annotate(x=F("beds") * 2 + 1).order_by("id").values_list("code", "x")),
    "aggregate": lambda: Result.objects.aggregate(n=Count("id"), low=Min("value"), high=Max("value"), sum=Sum("value"), avg=Avg("value")),
    "aggregate floats": lambda: {k: round(v, 6) for k, v in Result.objects.aggregate(s=StdDev("value")).items()},
    "aggregate filter": lambda: Result.objects.aggregate(n=Count("id", filter=Q(abnormal=True)), d=Count("loinc", distinct=True)),
    "annotate model": lambda: [(p.pk, p.n) for p in patients.annotate(n=Count("stays"))],
    "annotate two": lambda: [(w.code, w.p, w.s) for w in Ward.objects.annotate(p=Count("patients", distinct=True), s=Count("stays", distinct=True)).order_by("id")],
    "group by": lambda: list(patients.order_by().values("sex").annotate(n=Count("id"), oldest=Min("birth_date")).order_by("sex")),
    "group by relation": lambda: list(Stay.objects.order_by().values("patient__ward__name").annotate(n=Count("id")).order_by("patient__ward__name")),
    "having": lambda: list(Stay.objects.order_by().values("diagnosis").annotate(n=Count("id")).filter(n__gt=8).order_by("-n", "diagnosis")),
    "group by month": lambda: list(Stay.objects.order_by().annotate(m=TruncMonth("admitted_at")).values("m").annotate(n=Count("id")).order_by("m")),
    "group by year": lambda: list(patients.order_by().values(y=ExtractYear("birth_date")).annotate(n=Count("id")).order_by("y")),
    "select_related": lambda: [(s.pk, s.patient.family_name, s.ward.code, s.attending.rpps) for s in
                               Stay.objects.select_related("patient", "ward", "attending").defer("patient__nir")],
    "only": lambda: [(p.pk, p.family_name) for p in Patient.objects.only("family_name").order_by("id")],
    "prefetch_related": prefetched,
    "many to many": lambda: [(p.pk, sorted(a.name for a in p.allergies.all())) for p in patients.prefetch_related("allergies")],
    "through many to many": lambda: names(patients.filter(allergies__name="latex")),
    "Subquery": lambda: list(patients.annotate(last=Subquery(latest.values("diagnosis")[:1])).values_list("id", "last")),
    "Exists": lambda: names(patients.filter(Exists(Stay.objects.filter(patient=OuterRef("pk"), discharged_at=None)))),
    "not Exists": lambda: names(patients.filter(~Exists(Result.objects.filter(stay__patient=OuterRef("pk"), abnormal=True)))),
    "values": lambda: list(patients.values("id", "ward__code", "email")),
    "values_list flat": lambda: list(patients.values_list("birth_date", flat=True)),
    "distinct": lambda: list(patients.order_by("family_name").values_list("family_name", flat=True).distinct()),
    "distinct on": lambda: list(patients.order_by("ward_id", "id").distinct("ward_id").values_list("ward_id", "id")),
    "order by relation": lambda: names(patients.order_by("ward__name", "-birth_date", "id")),
    "nulls last": lambda: list(patients.order_by(F("email").desc(nulls_last=True), "id").values_list("email", flat=True)),
    "slice": lambda: names(patients[10:25:2]),
    "page 1": lambda: page(1), "page 3": lambda: page(3),
    "latest": lambda: Stay.objects.latest("admitted_at", "id").pk,
    "in_bulk": lambda: sorted((k, v.family_name) for k, v in patients.in_bulk([2, 7, 12, 10 ** 6]).items()),
    "iterator": lambda: [p.pk for p in patients.iterator(chunk_size=10)],
    "dates": lambda: list(patients.dates("birth_date", "year")),
    "datetimes": lambda: list(Stay.objects.datetimes("admitted_at", "month")),
    "functions": lambda: list(patients.annotate(a=Upper("family_name"), b=Lower("given_name"), c=Length("family_name"), d=Substr("given_name", 1, 2),
                                                e=Concat("given_name", Value(" "), "family_name"), f=Coalesce("email", Value("none"))).values_list("a", "b", "c", "d", "e", "f")),
    "Case": lambda: list(patients.annotate(k=Case(When(sex="F", then=Value("f")), When(ward__beds__gt=5, then=Value("big")), default=Value("-"),
                                                  output_field=models.CharField())).values_list("id", "k")),
    "Cast": lambda: list(Result.objects.annotate(t=Cast("value", models.CharField()), i=Cast("value", models.IntegerField())).order_by("id").values_list("t", "i")[:50]),
    "expression": lambda: list(Result.objects.annotate(x=ExpressionWrapper(F("value") * 2 - 1, output_field=DecimalField(max_digits=9, decimal_places=2))).order_by("id").values_list("x", flat=True)[:40]),
    "Greatest": lambda: list(Stay.objects.annotate(g=Greatest("admitted_at", "discharged_at")).values_list("id", "g")[:40]),
    "Window": lambda: list(patients.annotate(r=Window(Rank(), partition_by=[F("ward_id")], order_by=F("birth_date").asc()), n=Window(RowNumber(), order_by=F("id").asc())).values_list("id", "r", "n")),
    "union": lambda: sorted(patients.order_by().values_list("id").union(Ward.objects.order_by().values_list("id"))),
    "union all": lambda: sorted(patients.order_by().values_list("id").union(Ward.objects.order_by().values_list("id"), all=True)),
    "difference": lambda: sorted(patients.order_by().values_list("id").difference(Patient.objects.order_by().filter(sex="F").values_list("id"))),
    "json key": lambda: list(patients.filter(extra__n__gt=50).values_list("id", "extra__tags")),
    "json contains": lambda: names(patients.filter(extra__tags__contains=["a"])),
    "json has key": lambda: names(patients.filter(extra__has_key="n", extra__tags__0="a")),
    "raw": lambda: [(p.pk, p.n) for p in Patient.objects.raw("SELECT p.id, p.family_name, count(s.id) AS n FROM clinic_patient p LEFT JOIN clinic_stay s ON s.patient_id = p.id GROUP BY p.id ORDER BY p.id")],
    "raw cursor": raw_cursor,
    "extra": lambda: list(patients.extra(select={"y": "extract(year from birth_date)"}, where=["sex = %s"], params=["F"]).values_list("id", "y")),
    "in a transaction": in_transaction,
    "tables": lambda: sorted(t for t in connection.introspection.table_names() if t.startswith("clinic")),
    # ---- refused: what is hidden does not exist
    "hidden field": lambda: list(Patient.objects.order_by("id")),
    "hidden field alone": lambda: list(Patient.objects.values_list("nir", flat=True)),
    "hidden field in a filter": lambda: patients.filter(nir__startswith="NIR").count(),
    "hidden field in an order": lambda: names(patients.order_by("nir")),
    "hidden field in a group": lambda: list(Patient.objects.order_by().values("nir").annotate(n=Count("id"))),
    "hidden field in an aggregate": lambda: Patient.objects.aggregate(Max("nir")),
    "hidden field of a relation": lambda: list(Stay.objects.values_list("patient__nir", flat=True)),
    "hidden field with select_related": lambda: list(Stay.objects.select_related("patient")),
    "deferred field, then read": lambda: patients.first().nir,
    "hidden table": lambda: list(Salary.objects.all()),
    "hidden table of a relation": lambda: list(Practitioner.objects.filter(salary__gross__gt=1)),
    "hidden table in a subquery": lambda: list(Practitioner.objects.filter(Exists(Salary.objects.filter(practitioner=OuterRef("pk"))))),
    "hidden table in raw": lambda: list(Salary.objects.raw("SELECT * FROM clinic_salary")),
}

answers = {}
for name, read in READS.items():
    try:
        answers[name] = read()
    except Error as error:
        answers[name] = {"error": type(error).__name__, "state": error.__cause__.pgcode, "text": str(error)}
print(json.dumps(answers, default=str, sort_keys=True))
