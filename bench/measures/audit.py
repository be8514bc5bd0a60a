"""audit: what the trail costs: not written at all, given to the kernel, synced to the disk; with the policy and without."""
import os
import subprocess

import pgbench
from table import markdown
from world import Target

HEADING = "What the audit costs"


def filesystem(folder):
    done = subprocess.run(["df", "--output=fstype", folder], stdout=subprocess.PIPE, text=True)
    return (done.stdout.split() or ["?"])[-1]


def run(world, options):
    targets = [world.direct(), world.pgbouncer(), world.relay()]
    unaudited = os.path.join(world.build, "bench", "pgvigil-unaudited")
    for binary, durability, word in ((unaudited, "written", "none"), (None, "written", "written"), (None, "synced", "synced")):
        vigil = world.pgvigil(binary=binary, durability=durability)
        targets.append(Target("audit %s" % word, vigil.port, vigil.process, log=vigil.log))
        targets.append(Target("audit %s, no policy" % word, vigil.port, vigil.process, {"PGUSER": "bench0"}, vigil.log))
    # PgBouncer by session is not needed here: what is compared is pgvigil with itself.
    through = [(target.name, lambda mode, target=target: None if (target.name, mode) == ("pgbouncer", "prepared") else target)
               for target in targets]
    cases = [(mode, clients) for mode in ("simple", "prepared") if mode in options.modes for clients in (8, 32)]
    medians = pgbench.interleaved(world, options, through, cases, ["-S", "-s", "20"])
    return """`pgbench -S`. "none": a build of pgvigil that writes no records, which the product has no switch for; "no policy": the same
statements by a user whose role is unrestricted, so that nothing is judged, rewritten or filtered; each of her sessions opens a server
connection of its own, which is in her figures. The trail lies on %s.

""" % filesystem(world.work) + markdown(pgbench.HEAD, pgbench.rows(medians, [target.name for target in targets]))
