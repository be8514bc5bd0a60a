"""people: 200 people in 8 pairs of role and mission take turns over 20 server connections, and one person 200 times."""
import os
import re
import urllib.request

from crowd import Crowd
from table import markdown, medians, number, ratio

HEADING = "200 people in 8 pairs over 20 server connections"
PEOPLE = 200
ROLES, MISSIONS = ("nurse", "physician", "clerk", "pharmacist"), ("care", "admission")
SQL = "SELECT id, family_name, given_name, birth_date FROM public.patients WHERE id = ?"


def policy(secret):
    """Their entries in the policy: each with wards of her own, a role of four; bench1's password."""
    users = ['  { name = "person%d"; auth = "scram"; secret = "%s"; roles = [ "%s" ]; attributes = { wards = [ "%d", "%d", "%d" ]; }; }'
             % (n, secret, ROLES[n % 4], 1 + n % 12, 1 + (n + 5) % 12, 1 + n * 7 % 12) for n in range(PEOPLE)]
    return "users = (\n%s\n);\n" % ",\n".join(users)


def prepare(world):
    with open(os.path.join(world.work, "policy", "people.cfg"), "w") as f:
        f.write(policy(world.secret))


def options_of(n):
    return "-cpgvigil.mission=" + MISSIONS[n // 4 % 2]


def connect(crowd, who):
    """200 clients: one person's, or each another's."""
    if who == "people":
        for n in range(PEOPLE):
            crowd.open(1, "person%d" % n, options_of(n))
    else:
        crowd.open(PEOPLE, "bench1")


def turns(target):
    """(turns, transactions) so far, of all workers; none of what is no pgvigil."""
    if target.admin is None:
        return 0, 1
    text = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % target.admin).read().decode()
    return tuple(sum(float(value) for value in re.findall(r"^pgvigil_%s_total\{[^}]*\} (\S+)" % name, text, re.M))
                 for name in ("server_turns", "transactions"))


def run(world, options):
    bouncer = world.pgbouncer(pool=20)
    vigils = world.pgvigils(pool=20, admin=True)
    cases = [(bouncer, "one person")] + [(vigil, who) for vigil in vigils for who in ("one person", "people")]
    crowds = {}
    results = {}
    try:
        for target, who in cases:
            crowd = crowds[target.name, who] = Crowd(world, target, SQL)
            connect(crowd, who)
        for turn in range(options.rounds):
            shift = turn % len(cases)
            for at_once in (20, PEOPLE):
                for target, who in cases[shift:] + cases[:shift]:
                    crowds[target.name, who].send(PEOPLE, 20)
                    before = turns(target)
                    one = crowds[target.name, who].run(options.seconds, at_once)
                    after = turns(target)
                    one += ((after[0] - before[0]) / max(1, after[1] - before[1]),)
                    results.setdefault((at_once, target.name, who), []).append(one)
                    print("  round %d/%d  %3d at once  %-9s  %-10s  %7.0f/s  p50 %6.2f ms  p99 %7.2f ms  %.1f us CPU  %.2f turns" % (
                        (turn + 1, options.rounds, at_once, target.name, who) + one), flush=True)
    finally:
        for crowd in crowds.values():
            crowd.__exit__()
    lines = []
    for (at_once, name, who), runs in results.items():
        rate, p50, p99, cpu, turned = medians(runs)
        single = medians(results[at_once, name, "one person"])
        reference = medians(results[at_once, "pgbouncer", "one person"])
        lines.append([at_once, name, who, number(rate, 0), number(p50, 2), number(p99, 2), number(cpu, 1), ratio(cpu, single[3]),
                      ratio(rate, single[0]), ratio(cpu, reference[3]), number(turned, 2)])
    return """%d connected clients take turns, 20 or all of them with a statement under way, over 20 server connections. "people": %d users of
%d pairs of role and mission, each with wards of her own, so that a server connection changes the person nearly each time and the pair
often; "one person": the same %d clients, all of one user. One patient by primary key, simple protocol, another literal each time.
PgBouncer cannot have many users share a pool: it is there with one.

""" % (PEOPLE, PEOPLE, len(ROLES) * len(MISSIONS), PEOPLE) + markdown(
        ["at once", "through", "who", "statements/s", "p50 ms", "p99 ms", "proxy CPU us", "CPU / one person", "rate / one person",
         "CPU / PgBouncer", "turns a statement"], lines)
