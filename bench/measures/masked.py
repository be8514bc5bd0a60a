"""masked: four columns of a patient, one of them masked and her row behind a filter, in the three protocols."""
import os

from measures.select import table
from world import HERE

HEADING = "One patient by primary key, a column masked"


def run(world, options):
    return """`bench/select.sql`: four columns of one of 20,000 patients by primary key. Direct, through the relay and through PgBouncer
the row comes as it is; through pgvigil with one column masked and rows filtered by the user's wards.

""" + table(world, options, ["-f", os.path.join(HERE, "select.sql")])
