"""SQLAlchemy's own compliance suite for dialects, as its documentation says to take it in."""
from sqlalchemy.testing.suite import *  # noqa: F401,F403
