"""
What patients may have erased, on top of the clinic: a portal, reminders, contacts; a table of other people's rows that refer to a
patient's; a policy that declares which is erasable.
"""
import rights_schema

SQL = rights_schema.EXTRA_SQL + """
DELETE FROM public.invoices WHERE patient_id % 4 <> 0;
CREATE TABLE public.portal_accounts (id bigint PRIMARY KEY, patient_id bigint NOT NULL REFERENCES public.patients, login text NOT NULL);
CREATE TABLE public.reminders (id bigint PRIMARY KEY, slot int NOT NULL, patient_id bigint NOT NULL, channel text NOT NULL);
CREATE TABLE public.contacts (id bigint NOT NULL, patient_id bigint NOT NULL, kind text NOT NULL, value text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE public.contacts_mail PARTITION OF public.contacts FOR VALUES IN ('mail');
CREATE TABLE public.contacts_phone PARTITION OF public.contacts FOR VALUES IN ('phone');
CREATE TABLE public.portal_proxies (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES public.portal_accounts ON DELETE CASCADE, patient_id bigint NOT NULL);
CREATE TABLE public.portal_log (id bigint PRIMARY KEY, account_id bigint NOT NULL, what text);
INSERT INTO public.portal_accounts SELECT 1000 + n, n, 'login ' || n FROM generate_series(1, 600) AS n;
INSERT INTO public.reminders SELECT 2 * n + k, n % 10, n, CASE k WHEN 0 THEN 'sms' ELSE 'mail' END FROM generate_series(1, 600) AS n, generate_series(0, 1) AS k;
INSERT INTO public.contacts SELECT n, n, 'mail', 'a' FROM generate_series(1, 600) AS n;
INSERT INTO public.contacts SELECT n, n, 'phone', 'b' FROM generate_series(1, 600) AS n;
GRANT SELECT ON public.portal_accounts, public.reminders, public.contacts, public.portal_proxies, public.portal_log TO pgvigil_owner;
"""

TABLES = """
tables = (
  { name = "public.portal_accounts"; subject = "portal_accounts.patient_id"; erasable = true; columns = { admin = [ "id", "patient_id", "login" ]; }; },
  { name = "public.reminders"; subject = "reminders.patient_id"; erasable = true; columns = { admin = [ "id", "slot", "patient_id", "channel" ]; }; },
  { name = "public.contacts"; subject = "contacts.patient_id"; erasable = true; columns = { admin = [ "id", "patient_id", "kind" ]; contact = [ "value" ]; }; },
  { name = "public.portal_proxies"; subject = "portal_proxies.patient_id"; columns = { admin = [ "id", "account_id", "patient_id" ]; }; },
  { name = "public.portal_log"; subject = "(SELECT a.patient_id FROM public.portal_accounts a WHERE a.id = portal_log.account_id)";
    columns = { admin = [ "id", "account_id", "what" ]; }; }
);
"""
REGISTERED = """
rights = ( { name = "registered"; kind = "restriction"; except = [ "audit" ]; register = true; } );
"""
RETENTION = rights_schema.POLICY[:rights_schema.POLICY.index("rights = (")].replace(
    'except = [ "public.invoices" ];', 'except = [ "public.invoices" ]; destroy = [ "auditor", "biller" ];')
FILES = [("30-missions-roles.cfg", rights_schema.missions()), ("95-erase.cfg", TABLES + REGISTERED + RETENTION)]
WITHOUT_RETENTION = [("95-erase.cfg", TABLES + REGISTERED)]

ERASABLE = ("portal_accounts", "reminders", "contacts")
RECORD = ("patients", "stays", "appointments", "care_team", "observations", "lab_results", "prescriptions", "documents", "consents", "objections")
SUBJECT = {t: "t.patient_id" for t in RECORD + ERASABLE + ("invoices", "portal_proxies")}
SUBJECT.update(patients="t.id", lab_results="(SELECT s.patient_id FROM stays s WHERE s.id = t.stay_id)",
               portal_log="(SELECT a.patient_id FROM portal_accounts a WHERE a.id = t.account_id)")
TABLES_ALL = tuple(SUBJECT)


def rows(connection):
    """{table: {(subject, row as text): how often}} of every table of persons' rows, read plainly."""
    found = {}
    for table, subject in SUBJECT.items():
        there = found[table] = {}
        for row in connection.execute("SELECT (%s)::text, t::text FROM public.%s t" % (subject, table)):
            there[row] = there.get(row, 0) + 1
    return found


def of(found, patient):
    """{table: number of rows} of one patient."""
    counts = {t: sum(n for (subject, _), n in there.items() if subject == str(patient)) for t, there in found.items()}
    return {t: n for t, n in counts.items() if n}
