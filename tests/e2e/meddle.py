"""
What others do while rows are taken away: locks that somebody waits for, triggers that do something beside, commits that are refused,
a DBA who is no superuser. Each is gone again at the end of its `with`.
"""
import contextlib
import time


def blocked(connection):
    """Until somebody waits for a lock."""
    deadline = time.monotonic() + 30
    while not connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def trigger(connection, table, body, deferred=False, before=True):
    """Runs `body` for each row that goes from the table; deferred: when constraints are asked."""
    connection.execute("CREATE FUNCTION public.meddle() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$ BEGIN %s RETURN OLD; END $$" % body)
    connection.execute("CREATE %s TRIGGER meddle %s DELETE ON %s %s FOR EACH ROW EXECUTE FUNCTION public.meddle()" % (
        ("CONSTRAINT", "AFTER", table, "DEFERRABLE INITIALLY DEFERRED") if deferred else ("", "BEFORE" if before else "AFTER", table, "")))
    try:
        yield
    finally:
        connection.execute("DROP TRIGGER meddle ON %s; DROP FUNCTION public.meddle()" % table)


@contextlib.contextmanager
def refused_commit(connection, table, state="P0001"):
    """The COMMIT itself fails, with that state, after all that is asked before it: a deferred trigger on what goes defers another again."""
    connection.execute(
        "CREATE TABLE public.later (n int);"
        "CREATE FUNCTION public.clash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a value of hers' USING ERRCODE = '%s'; END $$;"
        "CREATE CONSTRAINT TRIGGER clash AFTER INSERT ON public.later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.clash()" % state)
    try:
        with trigger(connection, table, "SET CONSTRAINTS clash DEFERRED; INSERT INTO public.later VALUES (1);", deferred=True):
            yield
    finally:
        connection.execute("DROP TABLE public.later; DROP FUNCTION public.clash()")


@contextlib.contextmanager
def junior(stack, connection, more=""):
    """The conninfo of a DBA who may read and write every table of `public`, and is no superuser."""
    name = stack.databases["records"]
    connection.execute("DROP ROLE IF EXISTS junior; CREATE ROLE junior LOGIN PASSWORD 'junior-test'; GRANT CREATE, TEMPORARY ON DATABASE \"%s\" TO junior;"
                       "GRANT USAGE ON SCHEMA public TO junior; GRANT ALL ON ALL TABLES IN SCHEMA public TO junior; %s" % (name, more))
    try:
        yield stack.cluster.conninfo(name, "junior", "junior-test")
    finally:
        connection.execute("DROP OWNED BY junior; DROP ROLE junior")
