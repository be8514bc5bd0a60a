"""SQLAlchemy's pytest plugin: its options (--dburi) and its way of making one class for each database."""
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: F401,F403
