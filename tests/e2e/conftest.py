"""Fixtures for tests/e2e and tests/attacks: one PostgreSQL for a whole run, logs shown with what fails."""
import os
import pathlib
import subprocess
import tempfile

import pytest

import harness

pytest.register_assert_rewrite("twin_answers")  # a failure shows what differs

stacks = []


@pytest.fixture(scope="session")
def cluster():
    with harness.Cluster() as made:
        yield made


@pytest.fixture(scope="module")
def make_stack(cluster):
    """make_stack(**Stack's arguments): ended with the module, which fails when pgvigil did not end cleanly."""
    made = []

    def make(**kw):
        stack = harness.Stack(cluster=cluster, **kw)
        made.append(stack)
        stacks.append(stack)
        return stack

    yield make
    problems = []
    for stack in reversed(made):
        stacks.remove(stack)
        try:
            stack.close()
        except harness.HarnessError as error:
            problems.append(str(error))
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module")
def stack(make_stack):
    """The clinic as it is, behind pgvigil."""
    return make_stack()


@pytest.fixture
def small_disk():
    if os.geteuid() != 0:
        pytest.skip("A TMPFS NEEDS ROOT")
    folder = tempfile.mkdtemp(prefix="pgvigil-small-")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", folder], stderr=subprocess.PIPE)
    if done.returncode != 0:
        os.rmdir(folder)
        pytest.skip("NO TMPFS HERE: %s" % done.stderr.decode())
    yield pathlib.Path(folder)
    subprocess.run(["umount", "-l", folder], check=False)
    os.rmdir(folder)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for stack in stacks:
            report.sections.append(("pgvigil's log", stack.proxy.tail(25) if stack.proxy else "not started"))
            report.sections.append(("PostgreSQL's log", stack.cluster.tail(10)))
