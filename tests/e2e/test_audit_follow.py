"""
`pgvigil audit follow`: what is written, as it is written, by all chains of a running server, with the filters of search.
"""
import json
import os
import queue
import shutil
import subprocess
import threading
import time

import harness
import pytest
import trails


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack()


class Follower:
    def __init__(self, directory, *args):
        self.process = subprocess.Popen([harness.binary(), "audit", "follow", "--format", "json"] + [str(a) for a in args] + [str(directory)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")
        self.answers, self.errors = queue.Queue(), []
        self.reader = threading.Thread(target=lambda: [self.answers.put(json.loads(line)) for line in self.process.stdout])
        self.reader.start()
        self.complainer = threading.Thread(target=lambda: self.errors.extend(line.decode() for line in self.process.stderr))
        self.complainer.start()

    def until(self, wanted, seconds=20):
        """Everything up to the first answer that `wanted` says yes to."""
        found, deadline = [], time.monotonic() + seconds
        while True:
            answer = self.answers.get(timeout=max(0.01, deadline - time.monotonic()))
            found.append(answer)
            if wanted(answer):
                return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.reader.join(timeout=20)
        self.complainer.join(timeout=20)


def ready(follower, stack, **how):
    """It follows from some moment on: until that has come, marks are written. The answers so far are thrown away."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with stack.connect("nurse1") as c:
            c.execute("SELECT 'mark'")
        try:
            follower.until(lambda a: a.get("event") == "disconnect" or "sql" in a, seconds=1)
            break
        except queue.Empty:
            assert follower.process.poll() is None, follower.errors
    # What the marks still have to say.
    time.sleep(0.5)
    while not follower.answers.empty():
        follower.answers.get()


def test_statements_appear_as_they_are_written(stack):
    with Follower(stack.audit_dir) as follower:
        ready(follower, stack)
        with stack.connect("nurse1") as c:
            c.execute("SELECT id AS seen_by_follow FROM patients LIMIT 2").fetchall()
            found = follower.until(lambda a: "seen_by_follow" in a.get("sql", ""))
            assert (found[-1]["person"], found[-1]["outcome"], found[-1]["rows"]) == ("nurse1", "done", 2)
        found = follower.until(lambda a: a.get("event") == "disconnect")
        assert found[-1]["person"] == "nurse1"
    assert follower.process.returncode == -15


def test_long_result_is_told_when_it_begins_and_when_it_ends(stack):
    with Follower(stack.audit_dir, "--statement", "SELECT") as follower:
        ready(follower, stack)
        with stack.connect("reception1") as c:
            c.execute("SELECT a.id AS long_follow, repeat('x', 500) FROM patients a, wards b LIMIT 2000").fetchall()
        found = follower.until(lambda a: "long_follow" in a.get("sql", "") and a["outcome"] == "done")
        mine = [a for a in found if "long_follow" in a.get("sql", "")]
        assert [a["outcome"] for a in mine] == ["begun", "done"] and mine[0]["seq"] == mine[1]["seq"]
        assert mine[1]["rows"] == 2000 and mine[1]["ended"] >= mine[1]["time"]


def test_filters_are_those_of_search(stack):
    with Follower(stack.audit_dir, "--decision", "deny") as follower:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with stack.connect("reception1") as c:
                c.execute("SELECT 1 AS allowed_one")
                with pytest.raises(Exception):
                    c.execute("SELECT diagnosis FROM stays")
            try:
                found = follower.until(lambda a: True, seconds=2)
                break
            except queue.Empty:
                assert follower.process.poll() is None, follower.errors
        assert found[0]["refused"] == "column public.stays.diagnosis" and found[0]["outcome"] == "refused"


@pytest.fixture
def growing(tmp_path):
    """A trail, and what is yet to be written of it."""
    whole = tmp_path / "whole"
    records = trails.make(whole, seed=5, records=1500)
    directory = tmp_path / "trail"
    directory.mkdir()
    first = [sorted(whole.glob("audit-%d-*" % n))[0].name for n in (0, 1)]
    for name in first:
        shutil.copy(whole / name, directory)
    return directory, whole, records, set(first)


def started(follower, directory):
    """Its own open files say that it is at their ends."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        fds = "/proc/%d/fd" % follower.process.pid
        names = []
        for fd in os.listdir(fds):
            try:
                names.append(os.readlink(os.path.join(fds, fd)))
            except OSError:
                pass
        if any(n.startswith(str(directory)) for n in names):
            time.sleep(1)
            return
        time.sleep(0.05)
    raise AssertionError(follower.errors)


@pytest.mark.parametrize("wanted", [[], ["--patient=17"], ["--user", "nurse1"]], ids=str)
def test_all_that_is_written_is_told_once_over_files_and_chains(growing, wanted):
    directory, whole, records, first = growing
    keys = dict(zip(("patient",), ("17",))) if wanted and "patient" in wanted[0] else dict(person="nurse1") if wanted else {}
    later = [r for r in records if r["file"] not in first]
    # A statement that began before is found with what it is, if one of its later records is asked for.
    expected = {}
    for key, parts in trails.answers(records).items():
        news = [p for p in parts if p["file"] not in first]
        if news and trails.matches([dict(parts[0], patients=[], patient=None)] + news if parts[0]["file"] in first else parts, **keys):
            expected[key] = "unknown" if parts[0]["type"] == "begin" and parts[-1]["type"] != "end" else "over"
    assert expected and later
    with Follower(directory, *wanted) as follower:
        started(follower, directory)
        for path in sorted(whole.iterdir()):
            if path.name not in first:
                (directory / (path.name + ".new")).write_bytes(path.read_bytes())
                (directory / (path.name + ".new")).rename(directory / path.name)
        found, ends = {}, {}
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and len(ends) < len(expected):
            try:
                answer = follower.answers.get(timeout=3)
            except queue.Empty:
                break
            key = (answer["chain"], answer["seq"])
            found.setdefault(key, []).append(answer.get("outcome"))
            if answer.get("outcome") != "begun":
                ends[key] = answer
    over = {key for key, how in expected.items() if how == "over"}
    assert over <= set(ends) and set(found) <= set(expected), (sorted(over - set(ends))[:5], sorted(set(found) - set(expected))[:5], follower.errors)
    assert all(outcomes.count("begun") <= 1 and len([o for o in outcomes if o != "begun"]) <= 1 for outcomes in found.values())
    assert set(expected) - set(found) == set() or not keys, set(expected) - set(found)


def test_no_trail_is_3(tmp_path):
    done = subprocess.run([harness.binary(), "audit", "follow", str(tmp_path / "none")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 3 and done.stderr and not (tmp_path / "none").exists()
