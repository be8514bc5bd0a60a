"""Settings of the small clinic application; where its database is comes from the environment (tests/e2e/test_django.py)."""
import os

SECRET_KEY = "tests only"
INSTALLED_APPS = ["clinic"]
USE_TZ = True
TIME_ZONE = "Europe/Paris"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["CLINIC_DATABASE"],
        "USER": os.environ["CLINIC_USER"],
        "PASSWORD": os.environ["CLINIC_PASSWORD"],
        "HOST": "127.0.0.1",
        "PORT": os.environ["CLINIC_PORT"],
        # As before any pooler that works by transaction: iterator() would DECLARE a cursor WITH HOLD.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {
            "sslmode": "verify-full",
            "sslrootcert": os.environ["CLINIC_CA"],
            **({"options": os.environ["CLINIC_OPTIONS"]} if os.environ.get("CLINIC_OPTIONS") else {}),
        },
    }
}
