"""cold: statements that no cache can know, each with a name in it that never comes again."""
import os
import subprocess

import pgbench
from measures.select import NAMES
from table import markdown
from world import HERE

HEADING = "Statements that nobody has sent before"


def judging(world):
    done = subprocess.run([os.path.join(world.build, "bench", "slowpath")], stdout=subprocess.PIPE, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


def run(world, options):
    targets = [world.direct(), world.pgbouncer(), world.relay()] + world.pgvigils()
    through = [(target.name, lambda mode, target=target: target) for target in targets]
    lines = []
    for script, words in (("short", "short"), ("long", "long")):
        medians = pgbench.interleaved(world, options, through, [("simple", 8)],
                                      ["-f", os.path.join(HERE, "cold-%s.sql" % script)])
        medians = {("simple, " + words, clients): of for (_, clients), of in medians.items()}
        lines += pgbench.rows(medians, NAMES + list(world.binaries))
    return """Each statement has an alias that never comes again, so that it is read, judged and rewritten from the beginning: one of
four columns of `patients` (short), one of about 700 bytes with a join, sub-queries and a group (long). Simple protocol; PostgreSQL plans
each anew in any case.

""" + markdown(pgbench.HEAD, lines) + """
Judging alone, by `bench/slowpath`, beside what libpg_query needs for its own part (parse and unpack of the text that came and of the
one that is sent, which is verified); one thread's CPU time.

""" + markdown(["text", "bytes", "bytes sent", "judging us", "libpg_query's own us", "ratio"], judging(world))
