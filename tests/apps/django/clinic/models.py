"""Wards, people and records, as an application would have them. What the policy hides of them the application does not know."""
from django.db import models


class Ward(models.Model):
    code = models.CharField(max_length=10, unique=True)
    name = models.CharField(max_length=80)
    beds = models.PositiveIntegerField()


class Practitioner(models.Model):
    rpps = models.CharField(max_length=11, unique=True)
    family_name = models.CharField(max_length=80)
    specialty = models.CharField(max_length=80, null=True)
    ward = models.ForeignKey(Ward, on_delete=models.PROTECT, related_name="practitioners")


class Allergy(models.Model):
    name = models.CharField(max_length=40, unique=True)


class Patient(models.Model):
    ward = models.ForeignKey(Ward, on_delete=models.PROTECT, null=True, related_name="patients")
    nir = models.CharField(max_length=15, unique=True)  # hidden from the nurse
    family_name = models.CharField(max_length=80, db_index=True)
    given_name = models.CharField(max_length=80)
    sex = models.CharField(max_length=1, choices=[("F", "F"), ("M", "M")])
    birth_date = models.DateField()
    email = models.EmailField(null=True)
    allergies = models.ManyToManyField(Allergy, related_name="patients")
    extra = models.JSONField(default=dict)


class Stay(models.Model):
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="stays")
    ward = models.ForeignKey(Ward, on_delete=models.PROTECT, related_name="stays")
    attending = models.ForeignKey(Practitioner, on_delete=models.PROTECT, related_name="stays")
    admitted_at = models.DateTimeField()
    discharged_at = models.DateTimeField(null=True)
    diagnosis = models.CharField(max_length=10)

    class Meta:
        ordering = ["id"]
        constraints = [models.CheckConstraint(check=models.Q(discharged_at__gt=models.F("admitted_at")) | models.Q(discharged_at=None), name="stay_ends_after_it_begins")]


class Result(models.Model):
    stay = models.ForeignKey(Stay, on_delete=models.CASCADE, related_name="results")
    loinc = models.CharField(max_length=10)
    value = models.DecimalField(max_digits=8, decimal_places=2)
    abnormal = models.BooleanField(default=False)


class Salary(models.Model):
    """No line of the policy mentions it."""
    practitioner = models.OneToOneField(Practitioner, on_delete=models.CASCADE)
    gross = models.DecimalField(max_digits=8, decimal_places=2)
