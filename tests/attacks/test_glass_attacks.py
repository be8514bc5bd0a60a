"""A broken glass in the hands of somebody who has a login and knows the source: it outlives its minutes, tells nobody, says nothing."""
import missions_walk

GLASS = 'break_glass = { reason_min = 20; minutes = 60; require = [ "patient" ]; };'
POLICY = """
missions = ( { name = "plain"; }, { name = "glass"; purpose = "ETREAT"; %s }, { name = "minute"; purpose = "ETREAT"; %s } );
roles = ( { name = "medic"; missions = [ "plain", "glass", "minute" ]; default = "plain"; } );
rules = (
  { roles = [ "medic" ]; missions = [ "plain" ]; tables = [ "public.patients" ]; rows = "patients.ward_id = 2"; columns = { admin = "show"; }; },
  { roles = [ "medic" ]; missions = [ "glass", "minute" ]; tables = [ "public.patients" ]; rows = "patients.id = :session.patient::bigint";
    columns = { admin = "show"; contact = "show"; }; update = [ "phone" ]; },
  { roles = [ "medic" ]; missions = [ "glass", "minute" ]; tables = [ "public.care_team" ]; columns = { admin = "show"; }; insert = [ "admin" ]; }
);
users = ( %s );
""" % (GLASS, GLASS.replace("60", "1"), ",".join('{ name = "medic%d"; auth = "scram"; secret = "%s"; roles = [ "medic" ]; }' % (n, missions_walk.secret("medic%d" % n))
                                                 for n in range(20)))
GOOD = "cardiac arrest in the emergency room"


def enter(c, mission="glass", reason=GOOD, patient=1):
    c.execute("SET pgvigil.patient = '%s'" % patient)
    c.execute("SET pgvigil.reason = '%s'" % reason)
    c.execute("SET pgvigil.mission = '%s'" % mission)


def reload(own):
    since = own.proxy.log_size()
    own.proxy.hup()
    own.proxy.wait_log(r"event=reload\s", since=since, seconds=60)


def test_policy_that_ends_a_glass_and_moves_all_names_is_survived_and_on_record(make_stack):
    """The end is recorded under the names of the policy that it was broken under: of the next one the numbers mean others, or none."""
    own = make_stack(extra_policy=[("80-glass.cfg", POLICY)])
    pid = own.proxy.pid
    with own.connect("medic0", application_name="moved") as c:
        enter(c)
        assert c.execute("SELECT id FROM patients").fetchall() == [(1,)]
        path = own.policy / "80-glass.cfg"
        path.write_text(path.read_text().replace('"glass"; purpose = "ETREAT"; ' + GLASS, '"glass"; purpose = "ETREAT";'))
        (own.policy / "00-first.cfg").write_text("missions = ( %s );\nroles = ( %s );\n" % tuple(
            ",".join(form % n for n in range(40)) for form in ('{ name = "zero%d"; }', '{ name = "nobody%d"; missions = [ "zero1" ]; }')))
        own.deploy()
        reload(own)
        assert c.execute("SELECT id FROM patients").fetchall() == [(1,)]
        assert own.proxy.alive() and own.proxy.pid == pid
        ends = [r for r in own.audit_records() if r.get("event") == "break-glass-end"]
        assert [(r["person"], r["role"], r["mission"], r["patient"]) for r in ends] == [("medic0", "medic", "glass", "1")]
