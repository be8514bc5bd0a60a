"""
Records to syslog: a real rsyslog over TLS has every record of the trail, whole, as it stands there. A receiver that does not prove who it is
gets nothing. test_ship_kills.py: whoever is restarted or killed meanwhile.
"""
import datetime
import json
import os
import shutil
import subprocess
import time

import psycopg
import pytest

import harness
from receivers import NEEDS_RSYSLOG, Rsyslog, Shipper, config_with, ship_entry, some_statements, received, trail

pytestmark = NEEDS_RSYSLOG


@pytest.fixture(scope="module")
def client(cluster):
    return cluster.certs.issue("ship", "pgvigil.clinic.example")


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack(audit="file_bytes = 65536; checkpoint_seconds = 1")


@pytest.fixture
def receiver(cluster):
    with Rsyslog(cluster.certs) as made:
        yield made


def test_every_record_arrives_as_it_stands_in_the_trail(stack, client, receiver):
    """Twice, with records between: the second run sends only what is new."""
    config = config_with(stack, "plain.cfg", ship_entry(stack, client, receiver.port, stack.folder / "plain.state"))
    ship = Shipper(stack, config)
    for _ in range(2):
        some_statements(stack)
        ship.once()
    stack.proxy.stop()
    ship.once()
    receiver.stop()
    there = trail(stack.audit_dir)
    records, repeated = received(receiver.messages())
    stack.serve()
    assert records == there and repeated == 0
    kinds = {json.loads(line)["type"] for line in records.values()}
    assert {"header", "whole", "event", "checkpoint"} <= kinds
    assert len(list(stack.audit_dir.glob("audit-*.jsonl"))) > 2, "nothing was rotated"


def test_long_records_go_in_parts_and_characters_stay_whole(make_stack, client, receiver):
    own = make_stack()
    words = "é€😀" * 700
    with own.connect("nurse1") as c:
        with pytest.raises(psycopg.Error):
            c.execute('SELECT 1 AS "x", %s FROM patients' % ", ".join('"%s%d"' % ("é€ü" * 8, n) for n in range(900)))
    with own.connect("nurse1", application_name=words):
        pass
    own.proxy.stop()
    for size, more in ((2048, "max_message_bytes = 2048;"), (8192, ""), (131072, "max_message_bytes = 131072;")):
        receiver.out.unlink(missing_ok=True)
        config = config_with(own, "long%d.cfg" % size, ship_entry(own, client, receiver.port, own.folder / ("long%d.state" % size), more))
        Shipper(own, config).once()
        receiver.stop()
        messages = receiver.messages()
        records, repeated = received(messages)
        assert records == trail(own.audit_dir) and repeated == 0
        assert max(len(m) for m in messages) <= size
        assert (len(messages) > len(records)) == (size < 131072)
        receiver.start()


def test_receiver_that_is_away_gets_all_when_it_is_back(stack, client, cluster):
    away = Rsyslog(cluster.certs)
    config = config_with(stack, "away.cfg", ship_entry(stack, client, away.port, stack.folder / "away.state"))
    try:
        with Shipper(stack, config) as ship:
            some_statements(stack)
            time.sleep(1.5)
            assert "Connection refused" in ship.text()
            away.start()
            deadline = time.monotonic() + 40
            while received(away.messages())[0].keys() < trail(stack.audit_dir).keys() and time.monotonic() < deadline:
                time.sleep(0.5)
            assert ship.end() == 0
        away.stop()
        records, repeated = received(away.messages())
        there = trail(stack.audit_dir)
        assert repeated == 0 and records and all(there[key] == line for key, line in records.items())
        assert len(there) - len(records) < 10, "what was written before the receiver came back is not there"
    finally:
        away.close()


def refused(stack, config, words):
    done = Shipper(stack, config).once(check=False)
    assert done.returncode == 3 and words in done.stderr, done.stderr
    return done


def test_receiver_that_does_not_prove_who_it_is_gets_nothing(stack, client, receiver, tmp_path):
    other = harness.Certificates(tmp_path / "other")
    state = stack.folder / "proof.state"
    refused(stack, config_with(stack, "ca.cfg", ship_entry(stack, client, receiver.port, state, ca=other.ca)), "its certificate is refused")
    refused(stack, config_with(stack, "name.cfg", ship_entry(stack, client, receiver.port, state, 'name = "other.clinic.example";')),
            "its certificate is refused: hostname mismatch")
    assert receiver.messages() == [] and not state.exists()
    # The twin: the same receiver by the name that it has.
    Shipper(stack, config_with(stack, "right.cfg", ship_entry(stack, client, receiver.port, state))).once()
    assert receiver.messages() and state.exists()


def test_receiver_that_refuses_us_is_told_and_nothing_counts_as_sent(stack, cluster, receiver):
    """A certificate of the right authority and the wrong name: rsyslog hangs up."""
    stranger = cluster.certs.issue("stranger", "stranger.clinic.example")
    state = stack.folder / "stranger.state"
    refused(stack, config_with(stack, "stranger.cfg", ship_entry(stack, stranger, receiver.port, state)), "event=ship-failed")
    assert receiver.messages() == [] and not state.exists()


def test_saved_place_that_is_not_the_trail_s_is_refused(stack, client, receiver):
    state = stack.folder / "place.state"
    config = config_with(stack, "place.cfg", ship_entry(stack, client, receiver.port, state))
    Shipper(stack, config).once()
    before = len(receiver.messages())
    saved = json.loads(state.read_text())
    saved["positions"][0]["hash"] = "0" * 64
    state.write_text(json.dumps(saved))
    refused(stack, config, "this is another trail")
    state.write_text("{")
    refused(stack, config, "put it back, or remove it")
    assert len(receiver.messages()) == before


def test_two_shippers_of_one_state_do_not_send_both(stack, client, receiver):
    config = config_with(stack, "two.cfg", ship_entry(stack, client, receiver.port, stack.folder / "two.state"))
    with Shipper(stack, config) as first:
        deadline = time.monotonic() + 20
        while "ship-confirmed" not in first.text() and time.monotonic() < deadline:
            time.sleep(0.1)
        refused(stack, config, "another pgvigil audit ship has this state")


def test_checkpoints_alone(stack, client, receiver):
    config = config_with(stack, "heads.cfg",
                         ship_entry(stack, client, receiver.port, stack.folder / "heads.state", 'records = "checkpoints";'))
    Shipper(stack, config).once()
    receiver.stop()
    records, repeated = received(receiver.messages())
    wanted = {key: line for key, line in trail(stack.audit_dir).items() if b'"type":"checkpoint"' in line}
    assert repeated == 0 and records and {json.loads(line)["type"] for line in records.values()} == {"checkpoint"}
    assert all(wanted[key] == line for key, line in records.items()) and len(wanted) - len(records) < 5


def test_end_that_was_cut_off_is_seen_by_what_syslog_has_kept(make_stack, client, receiver):
    """The trail's end goes, by lines, by a file, by a chain: the other chains tell. All of them are cut off at one time, or written anew
    from there: verify alone sees nothing, and with the heads it does."""
    own = make_stack(audit="file_bytes = 65536; checkpoint_seconds = 1; compress = false")
    for _ in range(3):
        began = datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        some_statements(own, 30)
        time.sleep(1.3)
    own.proxy.stop()
    state = own.folder / "cut.state"
    config = config_with(own, "cut.cfg", ship_entry(own, client, receiver.port, state, 'records = "checkpoints";'))
    Shipper(own, config).once()
    receiver.stop()

    def verify(directory, heads=receiver.out, public=own.certs.audit_public):
        done = own.command("audit", "verify", "--public-key", public, *(["--heads", heads] if heads else []), directory, check=False)
        return done.returncode, done.stdout + done.stderr

    assert verify(own.audit_dir)[0] == 0
    assert "all there" in verify(own.audit_dir)[1]
    files = sorted(p.name for p in own.audit_dir.glob("audit-0-*.jsonl"))
    assert len(files) > 1

    def lines_gone(folder):
        places = [(name, n) for name in files for n, line in enumerate((folder / name).read_bytes().splitlines())
                  if b'"type":"checkpoint"' in line]
        name, last = places[-2]
        for later in files[files.index(name) + 1:]:
            (folder / later).unlink()
        (folder / name).write_bytes(b"".join((folder / name).read_bytes().splitlines(keepends=True)[:last + 1]))

    def file_gone(folder):
        (folder / files[-1]).unlink()

    def chain_gone(folder):
        for path in folder.glob("audit-1-*"):
            path.unlink()

    def all_ends_gone(folder):
        """As they stood before the third time."""
        for path in folder.glob("audit-*.jsonl"):
            kept = [line for line in path.read_bytes().splitlines(keepends=True) if json.loads(line)["time"] < began]
            path.write_bytes(b"".join(kept))
            if not kept:
                path.unlink()

    for cut, alone, word in ((lines_gone, "truncated: chain 0 ends", "truncated: chain 0"), (file_gone, "truncated: chain 0 ends", "truncated: chain 0"),
                             (chain_gone, "missing: of chain 1 ", "missing: chain 1"), (all_ends_gone, None, "truncated: chain 0")):
        folder = own.folder / cut.__name__
        shutil.copytree(own.audit_dir, folder)
        cut(folder)
        code, said = verify(folder, heads=None)
        assert code == (1 if alone else 0) and (alone or "whole") in said, said
        code, said = verify(folder)
        assert code == 1 and word in said, said
    # Written anew after the cut: the server goes on and signs what it finds.
    all_ends_gone(own.audit_dir)
    own.serve()
    some_statements(own, 60)
    own.proxy.stop()
    assert verify(own.audit_dir, heads=None)[0] == 0
    code, said = verify(own.audit_dir)
    assert code == 1 and ("is not the checkpoint that was sent" in said or "missing: the checkpoint" in said), said
    # The shipper will not go on as if nothing were, either.
    done = Shipper(own, config).once(check=False)
    assert done.returncode == 3 and "this is another trail" in done.stderr, done.stderr
    # A head that was changed, no heads at all, another key's.
    heads = own.folder / "heads"
    text = receiver.out.read_bytes()
    heads.write_bytes(text.replace(b'"lines":', b'"lines":9', 1))
    assert "bad signature" in verify(folder, heads)[1]
    heads.write_bytes(b"")
    assert verify(folder, heads)[0] == 3
    other = harness.Certificates(own.folder / "other-key")
    assert verify(folder, receiver.out, other.audit_public)[0] == 3


def test_reduced_rights_are_enough(stack, client, receiver):
    """As nobody who can write the trail: a copy that belongs to another, read-only."""
    if os.geteuid() != 0:
        pytest.skip("NEEDS ROOT TO BE SOMEBODY ELSE")
    folder = stack.folder / "reduced"
    folder.mkdir()
    shutil.copytree(stack.audit_dir, folder / "audit")
    (folder / "state").mkdir()
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.chown(folder / "state", "postgres", "postgres")
    stack.folder.chmod(0o755)
    for name, source in (("ship.crt", client[0]), ("ship.key", client[1]), ("audit.pem", stack.certs.audit_key), ("pseudonym.key", stack.certs.pseudonym_key), ("server.key", stack.certs.server_key)):
        shutil.copy(source, folder / name)
        shutil.chown(folder / name, "postgres", "postgres")
        (folder / name).chmod(0o600)
    text = config_with(stack, "r.cfg", ship_entry(stack, (folder / "ship.crt", folder / "ship.key"), receiver.port, folder / "state" / "s")).read_text()
    for old, new in ((stack.audit_dir, folder / "audit"), (stack.certs.audit_key, folder / "audit.pem"), (stack.certs.pseudonym_key, folder / "pseudonym.key"), (stack.certs.server_key, folder / "server.key")):
        text = text.replace('"%s"' % old, '"%s"' % new)
    config = stack.folder / "reduced.cfg"
    config.write_text(text)
    config.chmod(0o644)
    done = subprocess.run(["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", harness.binary(), "audit", "ship", "-c",
                           str(config), "--once"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    receiver.stop()
    records, _ = received(receiver.messages())
    assert records == trail(folder / "audit")
