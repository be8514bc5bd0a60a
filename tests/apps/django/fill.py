"""Writes the application's data through the ORM, as the administrator. The same in every run."""
import datetime
import decimal

import django

django.setup()

from clinic.models import Allergy, Patient, Practitioner, Result, Salary, Stay, Ward  # noqa: E402
from django.db import transaction  # noqa: E402

UTC = datetime.timezone.utc
NAMES = ["Martin", "Bernard", "Petit", "Durand", "Leroy", "Moreau", "Simon", "Laurent", "Lefèvre", "D'Angelo"]

with transaction.atomic():
    wards = [Ward.objects.create(code="W%d" % n, name="Ward %d" % n, beds=5 * n) for n in range(1, 6)]
    doctors = Practitioner.objects.bulk_create([Practitioner(rpps="100000%05d" % n, family_name=NAMES[n % 10], specialty=None if n % 3 == 0 else "S%d" % (n % 4), ward=wards[n % 5]) for n in range(12)])
    Salary.objects.bulk_create([Salary(practitioner=d, gross=decimal.Decimal(3000 + 10 * n)) for n, d in enumerate(doctors)])
    allergies = [Allergy.objects.create(name=name) for name in ("iode", "latex", "œuf", "pollens")]
    patients = Patient.objects.bulk_create([
        Patient(ward=None if n % 17 == 0 else wards[n % 5], nir="NIR%012d" % n, family_name=NAMES[n * 7 % 10], given_name=NAMES[n % 10][::-1], sex="FM"[n % 2],
                birth_date=datetime.date(1940 + n % 70, 1 + n % 12, 1 + n % 28), email=None if n % 4 == 0 else "p%d@example.org" % n, extra={"n": n, "tags": ["a", "b"][: n % 3]})
        for n in range(200)])
    for n, patient in enumerate(patients):
        patient.allergies.set(allergies[: n % 4])
    stays = Stay.objects.bulk_create([
        Stay(patient=patients[n % 200], ward=wards[(n + n // 200) % 5], attending=doctors[n % 12], admitted_at=datetime.datetime(2024, 1 + n % 12, 1 + n % 28, n % 24, tzinfo=UTC),
             discharged_at=None if n % 9 == 0 else datetime.datetime(2025, 1 + n % 12, 1 + n % 28, tzinfo=UTC), diagnosis="J%02d" % (n % 23)) for n in range(500)])
    Result.objects.bulk_create([Result(stay=stays[n % 500], loinc="%d-1" % (n % 30), value=decimal.Decimal(n % 1000) / 8, abnormal=n % 6 == 0) for n in range(1500)])
