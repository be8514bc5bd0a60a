"""
Different people, roles and missions interleaved on a few server connections: each session gets its own answer and nothing of
another's, in every protocol form, while connections are killed and settings, transactions and refusals come in between.
"""
import random
import threading
import time

import psycopg
import pytest

SESSIONS = 40
STATEMENTS = 60
PEOPLE = (("nurse1", "care"), ("nurse2", "care"), ("dr.martin", "care"), ("dr.martin", "research"), ("reception1", "admission"),
          ("billing1", "billing"), ("research1", "research"))
# Answers that tell people apart: how many patients, which columns, whose first row.
QUESTIONS = ("SELECT count(*) FROM patients", "SELECT * FROM patients ORDER BY id LIMIT 3", "SELECT count(*) FROM stays WHERE id > %s",
             "SELECT current_user", "SHOW pgvigil.mission", "SELECT min(s.id::text), count(*) FROM stays s JOIN patients p ON p.id = s.patient_id")


def ask(connection, question, **kw):
    return connection.execute(question, (0,) if "%s" in question else None, **kw).fetchall()


@pytest.fixture(scope="module")
def few(make_stack):
    return make_stack(pool=4)


def test_people_differ(few):
    answers = set()
    for user, mission in PEOPLE:
        with few.connect(user, mission=mission) as c:
            answers.add(str([ask(c, q) for q in QUESTIONS]))
    assert len(answers) == len(PEOPLE), "the questions do not tell the people apart"


def test_each_session_gets_its_own_answers(few):
    expected = {}
    for who in PEOPLE:
        with few.connect(who[0], mission=who[1]) as c:
            expected[who] = [ask(c, q) for q in QUESTIONS]
    wrong, done = [], []

    def work(number):
        rnd = random.Random(number)
        who = PEOPLE[number % len(PEOPLE)]
        try:
            with few.connect(who[0], mission=who[1], autocommit=True) as c:
                for _ in range(STATEMENTS):
                    i = rnd.randrange(len(QUESTIONS))
                    form = rnd.randrange(6)
                    if form == 0:
                        got = ask(c, QUESTIONS[i], prepare=True)
                    elif form == 1:
                        got = ask(c, QUESTIONS[i], binary=True) and ask(c, QUESTIONS[i])
                    elif form == 2:
                        with c.transaction():
                            got = ask(c, QUESTIONS[i])
                    elif form == 3:
                        with c.pipeline():
                            a, b = (c.execute(QUESTIONS[i], (0,) if "%s" in QUESTIONS[i] else None) for _ in range(2))
                            got = a.fetchall()
                            assert b.fetchall() == got
                    elif form == 4:
                        with pytest.raises(psycopg.errors.InsufficientPrivilege):
                            c.execute("SELECT * FROM staff_salaries")
                        got = ask(c, QUESTIONS[i])
                    else:
                        got = ask(c, QUESTIONS[i])
                    if got != expected[who][i]:
                        wrong.append((who, QUESTIONS[i], form, str(got)[:80]))
                    done.append(1)
        except Exception as error:  # a thread's failure is the test's
            wrong.append((who, "%s: %s" % (type(error).__name__, error)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(SESSIONS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[:5]
    assert len(done) == SESSIONS * STATEMENTS


def test_killed_server_connections_hurt_nobody_for_long(few):
    with few.connect("nurse1", mission="care") as c:
        expected = ask(c, QUESTIONS[1])
    wrong, right, lost, stop = [], [], [], threading.Event()

    def work():
        while not stop.is_set():
            try:
                with few.connect("nurse1", mission="care", autocommit=True) as c:
                    while not stop.is_set():
                        (right if ask(c, QUESTIONS[1]) == expected else wrong).append(1)
            except psycopg.Error as error:
                lost.append(error.sqlstate)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    killed = 0
    with few.superuser(autocommit=True) as c:
        for _ in range(15):
            time.sleep(0.2)
            killed += len(c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgvigil'").fetchall())
    before = len(right)
    time.sleep(1.5)
    after = len(right)
    stop.set()
    for t in threads:
        t.join()
    assert killed > 0 and not wrong and after > before
    assert set(lost) <= {"57P01", "08006", "08000", "53300", None}, set(lost)
