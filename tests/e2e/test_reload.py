"""
SIGHUP: a good policy is taken into force, a bad one and one that is not deployed leave the running one in force and say so; sessions
go on.
"""
import time

import psycopg
import pytest
import wire


@pytest.fixture
def own(make_stack):
    return make_stack()


def rule_file(own):
    return own.policy / "40-rules-care.cfg"


NURSE_PATIENTS = 'columns = { admin = "show"; identifier = "show"; contact = "show"; medical = "show"; nir = "hide"; }; },\n  { roles = [ "nurse" ]'


def hide_contact(own):
    text = rule_file(own).read_text(encoding="utf-8")
    assert NURSE_PATIENTS in text
    rule_file(own).write_text(text.replace(NURSE_PATIENTS, NURSE_PATIENTS.replace('contact = "show"; ', "")), encoding="utf-8")


def hup(own, event):
    since = own.proxy.log_size()
    own.proxy.hup()
    own.proxy.wait_log(r"event=%s\s" % event, since=since, seconds=60)
    return own.proxy.log.read_bytes()[since:].decode(errors="replace")


def sees_phones(connection):
    try:
        connection.execute("SELECT phone FROM patients LIMIT 1").fetchall()
        return True
    except psycopg.errors.UndefinedColumn:
        return False


def test_deployed_policy_is_taken_into_force(own):
    with own.connect("nurse1") as running, own.connect("nurse1") as prepared:
        assert sees_phones(running)
        for _ in range(7):
            assert prepared.execute("SELECT phone FROM patients WHERE id > %s", (0,), prepare=True).fetchall()
        hide_contact(own)
        own.deploy()
        assert sees_phones(running)  # not before SIGHUP
        hup(own, "reload")
        with own.connect("nurse1") as fresh:
            assert not sees_phones(fresh)
            assert fresh.execute("SELECT count(*) FROM patients").fetchone()[0] > 50
        assert not sees_phones(running)
        with pytest.raises(psycopg.Error):
            prepared.execute("SELECT phone FROM patients WHERE id > %s", (0,), prepare=True)
        assert running.execute("SELECT count(*) FROM patients").fetchone()[0] > 50
    assert [r for r in own.audit_records() if r.get("event") == "reload"]


def test_transaction_finishes_on_the_policy_it_began_with(own):
    with own.connect("nurse1", autocommit=False) as c:
        assert sees_phones(c)
        hide_contact(own)
        own.deploy()
        hup(own, "reload")
        assert sees_phones(c)
        c.commit()
        assert not sees_phones(c)
        c.rollback()


def test_bad_policy_leaves_the_running_one_in_force(own):
    with own.connect("nurse1") as running:
        good = rule_file(own).read_text(encoding="utf-8")
        for bad in (good + "\nrules = ( { roles = [ \"nobody\" ]; } );\n", good.replace("patients.ward_id = ANY(:user.wards)", "patients.ward_id = ANY(:user.nothing)"), "this is not libconfig", good.replace('"show"', '"shwo"', 1)):
            rule_file(own).write_text(bad, encoding="utf-8")
            text = hup(own, "reload-failed")
            assert "40-rules-care.cfg:" in text
            assert sees_phones(running)
            with own.connect("nurse1") as fresh:
                assert sees_phones(fresh)
        assert [r for r in own.audit_records() if r.get("event") == "reload-failed"]
        rule_file(own).write_text(good, encoding="utf-8")
        hup(own, "reload")
        assert sees_phones(running)


def test_policy_that_is_not_deployed_is_not_taken_into_force(own):
    with own.connect("nurse1") as running:
        hide_contact(own)
        text = hup(own, "reload-failed")
        assert "deploy" in text
        assert sees_phones(running)
        with own.connect("nurse1") as fresh:
            assert sees_phones(fresh)
        own.deploy()
        hup(own, "reload")
        assert not sees_phones(running)


def test_users_change_with_a_reload(own):
    users = own.policy / "50-users.cfg"
    good = users.read_text(encoding="utf-8")
    assert 'wards = [ "1", "2" ]; };\n    secret = "SCRAM-SHA-256$4096:6Vdd' in good
    with own.connect("nurse1") as running:
        before = running.execute("SELECT count(*) FROM patients").fetchone()[0]
        users.write_text(good.replace('wards = [ "1", "2" ]; };\n    secret = "SCRAM-SHA-256$4096:6Vdd', 'wards = [ "1" ]; };\n    secret = "SCRAM-SHA-256$4096:6Vdd'), encoding="utf-8")
        own.deploy()
        hup(own, "reload")
        with own.connect("nurse1") as fresh:
            fewer = fresh.execute("SELECT count(*) FROM patients").fetchone()[0]
        assert 0 < fewer < before
        assert running.execute("SELECT count(*) FROM patients").fetchone()[0] == fewer
        # A user who is taken out cannot log in any more; nor does the running session go on with rights nobody has.
        users.write_text(good.replace('name = "nurse1"', 'name = "nurse9"'), encoding="utf-8")
        own.deploy()
        hup(own, "reload")
        with pytest.raises(psycopg.OperationalError):
            own.connect("nurse1")
        with pytest.raises(psycopg.Error):
            running.execute("SELECT count(*) FROM patients")


def test_certificate_changes_with_a_reload(own):
    with own.connect("nurse1") as running:
        with wire.Raw(own.port, own.tls_context()) as raw:
            old = raw.binding()
        copies = [own.folder / "new.crt", own.folder / "new.key"]
        cert, key = own.certs.issue("renewed", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        text = own.config_file.read_text()
        copies[0].write_bytes(own.certs.server.read_bytes())
        copies[1].write_bytes(own.certs.server_key.read_bytes())
        copies[1].chmod(0o600)
        own.config_file.write_text(text.replace(str(own.certs.server), str(copies[0])).replace(str(own.certs.server_key), str(copies[1])))
        own.proxy.stop()
        own.serve()
        copies[0].write_bytes(cert.read_bytes())
        copies[1].write_bytes(key.read_bytes())
        hup(own, "reload")
        with wire.Raw(own.port, own.tls_context()) as raw:
            assert raw.binding() != old
        # A key that does not fit the certificate: the one in force stays.
        copies[1].write_bytes(own.certs.server_key.read_bytes())
        hup(own, "reload-failed")
        with wire.Raw(own.port, own.tls_context()) as raw:
            assert raw.login("nurse1", "records", "nurse1-demo", plus=True)[-1][0] == "Z"
        assert running.closed or running.info.status is not None


def test_new_table_and_new_column_stay_hidden_until_the_policy_has_them(own):
    with own.superuser() as dba, own.connect("nurse1") as nurse, own.connect("admin1") as admin:
        dba.execute("ALTER TABLE public.patients ADD COLUMN late text DEFAULT 'x'")
        dba.execute("CREATE TABLE public.later (id int)")
        dba.execute("GRANT SELECT ON public.later TO pgvigil_dba")
        time.sleep(0.3)
        columns = [c.name for c in nurse.execute("SELECT * FROM patients LIMIT 1").description]
        assert "late" not in columns and "family_name" in columns
        with pytest.raises(psycopg.Error):
            nurse.execute("SELECT late FROM patients")
        with pytest.raises(psycopg.Error):
            nurse.execute("SELECT * FROM later")
        assert admin.execute("SELECT count(*) FROM later").fetchone() == (0,)
        hup(own, "reload")
        with pytest.raises(psycopg.Error):
            nurse.execute("SELECT late FROM patients")
        assert "late" not in [c.name for c in nurse.execute("SELECT * FROM patients LIMIT 1").description]


def test_many_reloads_while_sessions_work(own):
    import threading
    problems, stop = [], threading.Event()

    def work():
        try:
            with own.connect("nurse1") as c:
                while not stop.is_set():
                    if c.execute("SELECT count(*) FROM wards WHERE id > %s", (0,)).fetchone() != (12,):
                        problems.append("wrong answer")
                    stop.wait(0.005)
        except psycopg.Error as error:
            problems.append(repr(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        for _ in range(8):
            hup(own, "reload")
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not problems, problems[:3]
