"""What the compliance suite may take for granted of a PostgreSQL: as SQLAlchemy's own defaults, so that the reference holds."""
from sqlalchemy.testing.requirements import SuiteRequirements


class Requirements(SuiteRequirements):
    pass
