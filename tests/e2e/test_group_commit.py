"""
durability = "synced": records are on the disk before what they cover leaves, the loop goes on while the disk is at work, and a flush
covers all that came meanwhile. The disk is a real one that a test can hold up or let fail (held_disk.c).
"""
import contextlib
import os
import select
import signal
import threading
import time

import harness
import held_disk
import psycopg
import pytest
import wire


@pytest.fixture(scope="module")
def made(make_stack, tmp_path_factory):
    """made(audit lines): a stack on such a disk, with one worker: what waits for one flush would have one of another worker's else."""
    def make(audit=""):
        own = held_disk.make(make_stack, tmp_path_factory.mktemp("disk") / "disk", serve=False, workers=1, audit=audit, pool=30)
        with own.superuser() as c:  # its log tells what it was asked
            c.execute("ALTER DATABASE %s SET log_statement = 'all'" % own.databases["records"])
        with harness.running(held_disk.BINARY):
            return own.serve()
    return make


@pytest.fixture(scope="module")
def stack(made):
    own = made()
    with own.connect("admin1") as admin:
        admin.execute("CREATE TABLE public.written (n int PRIMARY KEY, by text)")
    return own


def text_of(marker):
    return "SELECT id AS %s, family_name FROM patients ORDER BY id LIMIT 3" % marker


def asked(stack, marker):
    return marker in stack.cluster.log.read_text(encoding="utf-8", errors="replace")


def reached(stack, *markers, seconds=20):
    """PostgreSQL has been asked all of them."""
    deadline = time.monotonic() + seconds
    while not all(asked(stack, marker) for marker in markers):
        assert time.monotonic() < deadline, "never asked: %s" % [m for m in markers if not asked(stack, m)]
        time.sleep(0.05)


def silent(raw, seconds=0.6):
    return not raw.buffer and not raw.socket.pending() and not select.select([raw.socket], [], [], seconds)[0]


def recorded(stack, marker):
    return [r for r in stack.audit_records() if marker in r.get("sql", "")]


def verified(stack):
    done = stack.command("audit", "verify", "--public-key", stack.certs.audit_public, stack.audit_dir, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- what waits, and what does not -------------------------------------------------------------------------------------------

def test_results_wait_for_the_disk_and_others_go_on(stack):
    first, second = (wire.open_session(stack, user) for user in ("reception1", "nurse1"))
    with first, second:
        with stack.disk.held():
            first.send(wire.query(text_of("held_first")))
            reached(stack, "held_first")
            # The record is written already; the disk has not said that it has it.
            deadline = time.monotonic() + 10
            while not recorded(stack, "held_first"):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert silent(first)
            # Another session's statement runs meanwhile, by either protocol.
            second.send(wire.parse(text_of("held_second")) + wire.bind() + wire.execute() + wire.SYNC)
            reached(stack, "held_second")
            assert silent(first) and silent(second)
            assert not recorded(stack, "held_second"), "written while a flush is under way"
        assert [kind for kind, _ in first.until("Z")] == ["T", "D", "D", "D", "C", "Z"]
        assert [kind for kind, _ in second.until("Z")] == ["1", "2", "D", "D", "D", "C", "Z"]
        assert len(recorded(stack, "held_first")) == len(recorded(stack, "held_second")) == 1


def test_one_flush_covers_all_that_came_meanwhile(stack):
    markers = ["shared_%02d" % n for n in range(20)]
    with contextlib.ExitStack() as sessions:
        raws = [sessions.enter_context(wire.open_session(stack, "reception1")) for _ in markers]
        before = stack.disk.syncs()
        with stack.disk.held():
            for raw, marker in zip(raws, markers):
                raw.send(wire.query(text_of(marker)))
            reached(stack, *markers)
        for raw in raws:
            assert wire.tag_of(raw.until("Z")) == "SELECT 3"
        # The first one's, and those behind it: a turn or two of the loop until all have answered.
        assert stack.disk.syncs() - before < len(markers) / 2
    assert all(len(recorded(stack, marker)) == 1 for marker in markers)


def test_a_write_is_not_sent_before_its_record_is_on_the_disk(stack):
    """Its begin record waits behind a flush that is under way already, which does not cover it."""
    with wire.open_session(stack, "reception1") as other, wire.open_session(stack, "admin1") as raw:
        with stack.disk.held():
            other.send(wire.query(text_of("before_write")))
            reached(stack, "before_write")
            raw.send(wire.query("INSERT INTO public.written VALUES (1, 'held')"))
            assert silent(raw)
            assert not asked(stack, "INSERT INTO public.written")
        assert wire.tag_of(raw.until("Z")) == "INSERT 0 1"
        assert wire.tag_of(other.until("Z")) == "SELECT 3"


def received(raw, kinds, seconds=20):
    """So many messages of these kinds, and that nothing comes behind them."""
    got = [raw.receive() for _ in kinds]
    assert [kind for kind, _ in got] == list(kinds)
    assert silent(raw)


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_the_end_of_a_flush_releases_what_it_covers_and_nothing_else(stack, ends):
    """A session pipelines: what it asks while a flush is under way waits for the next one."""
    with wire.open_session(stack, "reception1") as raw, wire.open_session(stack, "admin1") as writer:
        with contextlib.ExitStack() as failing:
            with stack.disk.held():
                first = stack.disk.syncs() + 1
                raw.send(wire.query(text_of("pipe_one_" + ends)))
                reached(stack, "pipe_one_" + ends)
                deadline = time.monotonic() + 20
                while stack.disk.syncs() < first:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
                writer.send(wire.query(text_of("pipe_own_" + ends)))
                raw.send(wire.query(text_of("pipe_two_" + ends)))
                reached(stack, "pipe_two_" + ends, "pipe_own_" + ends)
                stack.disk.let_pass(first)
                received(raw, "TDDDCZ")
                writer.send(wire.query("INSERT INTO public.written VALUES (%d, 'pipelined %s')" % (3 + len(ends), ends)))
                assert silent(writer)
                stack.disk.let_pass(first + 1)
                if ends == "well":
                    assert wire.tag_of(raw.until("Z")) == wire.tag_of(writer.until("Z")) == "SELECT 3"
                    # The begin record of the write waits for its own.
                    assert silent(writer) and not asked(stack, "pipelined " + ends)
                else:
                    failing.enter_context(stack.disk.failing())
            if ends == "well":
                assert wire.tag_of(writer.until("Z")) == "INSERT 0 1"
            else:
                for got in (raw.until("Z"), writer.until("Z"), writer.until("Z")):
                    assert wire.error_of(got) is None or wire.error_of(got)["C"] == "58030"
        assert wire.error_of(raw.query("SELECT 1")) is None or ends == "badly"


# ---- a disk that fails -------------------------------------------------------------------------------------------------------

def test_what_a_failed_sync_was_to_cover_is_withheld(stack):
    began = len([r for r in stack.audit_records() if r.get("event") == "audit-restored"])
    first, second = (wire.open_session(stack, "reception1") for _ in range(2))
    writer = wire.open_session(stack, "admin1")
    with first, second, writer:
        with stack.disk.failing():
            with stack.disk.held():
                first.send(wire.query(text_of("failed_first")))
                reached(stack, "failed_first")
                second.send(wire.query(text_of("failed_second")))
                reached(stack, "failed_second")
                writer.send(wire.query("INSERT INTO public.written VALUES (2, 'failed')"))
                time.sleep(0.3)
            for raw in (first, second, writer):
                got = raw.until("Z")
                assert wire.error_of(got)["C"] == "58030" and not wire.rows_of(got), got
        assert not recorded(stack, "failed_first") and not recorded(stack, "failed_second")
        with stack.superuser() as c:
            assert c.execute("SELECT count(*) FROM public.written WHERE n = 2").fetchone() == (0,)
        # Service comes back, for those who were refused.
        deadline = time.monotonic() + 20
        for raw in (first, second):
            while True:
                got = raw.query(text_of("after_failure"))
                if wire.tag_of(got) == "SELECT 3":
                    break
                assert wire.error_of(got)["C"] == "58030" and time.monotonic() < deadline
                time.sleep(0.1)
        assert wire.tag_of(writer.query("INSERT INTO public.written VALUES (2, 'again')")) == "INSERT 0 1"
    restored = [r for r in stack.audit_records() if r.get("event") == "audit-restored"]
    assert len(restored) == began + 1 and restored[-1]["refused_records"] >= 3
    verified(stack)


# ---- the end, in the middle of it --------------------------------------------------------------------------------------------

class Load(threading.Thread):
    """Statements one after the other; what was answered."""

    def __init__(self, stack, number):
        super().__init__(daemon=True)
        self.stack, self.number, self.answered, self.stopping = stack, number, [], False

    def run(self):
        with contextlib.suppress(psycopg.Error, OSError):
            with self.stack.connect("reception1") as c:
                n = 0
                while not self.stopping:
                    marker = "load_%d_%d" % (self.number, n)
                    if len(c.execute(text_of(marker)).fetchall()) == 3:
                        self.answered.append(marker)
                    n += 1


def under_load(stack, threads=6, statements=150):
    loads = [Load(stack, n) for n in range(threads)]
    for load in loads:
        load.start()
    deadline = time.monotonic() + 60
    while sum(len(load.answered) for load in loads) < statements and time.monotonic() < deadline:
        time.sleep(0.02)
    return loads


def check_answered(stack, loads):
    for load in loads:
        load.stopping = True
    for load in loads:
        load.join(30)
        assert not load.is_alive()
    texts = "\n".join(r.get("sql", "") for r in stack.audit_records())
    answered = [marker for load in loads for marker in load.answered]
    assert len(answered) >= 150
    assert not [marker for marker in answered if marker + "," not in texts]


def test_files_go_round_under_load(made):
    own = made(audit="file_bytes = 65536;")
    loads = under_load(own, statements=400)
    check_answered(own, loads)
    own.proxy.stop()
    assert len(list(own.audit_dir.glob("audit-0-*.jsonl"))) >= 4
    verified(own)


def test_stopped_under_load_while_the_disk_is_at_work(made):
    own = made()
    loads = under_load(own)
    with own.disk.held():
        time.sleep(0.2)
        os.kill(own.proxy.pid, signal.SIGTERM)
        time.sleep(0.5)
        assert own.proxy.alive(), "ended before its records were on the disk"
    assert own.proxy.process.wait(30) == 0
    check_answered(own, loads)
    verified(own)


@pytest.mark.parametrize("held", [False, True])
def test_killed_under_load_every_answer_has_its_record(made, held):
    own = made()
    for _ in range(3):
        loads = under_load(own)
        with own.disk.held() if held else contextlib.nullcontext():
            time.sleep(0.1)
            os.kill(own.proxy.pid, signal.SIGKILL)
            own.proxy.process.wait(30)
        check_answered(own, loads)
        with harness.running(held_disk.BINARY):
            own.serve()
    own.proxy.stop()
    verified(own)
