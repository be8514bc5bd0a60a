"""psql's describing commands, each with the forms that people type: alone, with a pattern, with + and S, with hidden names."""

BARE = [
    r"\d", r"\d+", r"\dS", r"\dt", r"\dt+", r"\dtS", r"\dv", r"\dv+", r"\dm", r"\dm+", r"\di", r"\di+", r"\ds", r"\ds+", r"\dE", r"\dE+", r"\dtvmsE", r"\dP", r"\dP+",
    r"\dPt", r"\dPi", r"\df", r"\df+", r"\dfa", r"\dfn", r"\dfp", r"\dft", r"\dfw", r"\da", r"\dn", r"\dn+", r"\dnS", r"\du", r"\du+", r"\dg", r"\dg+", r"\dp", r"\z", r"\ddp",
    r"\dT", r"\dT+", r"\dTS", r"\do", r"\do+", r"\dC", r"\dC+", r"\dc", r"\dc+", r"\dD", r"\dD+", r"\dF", r"\dF+", r"\dFd", r"\dFd+", r"\dFp", r"\dFp+", r"\dFt", r"\dFt+",
    r"\dO", r"\dO+", r"\dOS", r"\dx", r"\dx+", r"\dy", r"\dy+", r"\dA", r"\dA+", r"\dAc", r"\dAf", r"\dAo", r"\dAp", r"\db", r"\db+", r"\l", r"\l+", r"\dd", r"\ddS", r"\drds", r"\dRp", r"\dRp+",
    r"\dRs", r"\dconfig", r"\dconfig+", r"\dL", r"\dL+", r"\dX", r"\des", r"\des+", r"\det", r"\det+", r"\deu", r"\dew", r"\dew+", r"\dl", r"\conninfo", r"\encoding",
]
PATTERNS = [
    r"\d patients", r"\d+ patients", r"\d public.patients", r"\d+ public.stays", r"\d observations", r"\d+ observations", r"\d observations_2024", r"\d+ observations_2024", r"\d patient_stays",
    r"\d+ patient_stays", r"\d ward_occupancy", r"\d+ ward_occupancy", r"\d patients_pkey", r"\d patients_id_seq", r"\d w*", r"\dt p*", r"\dt+ *.*", r"\dt pg_*",
    r"\dv *.*", r"\dm *.*", r"\di p*", r"\di+ *.*", r"\ds *.*", r"\dn p*", r"\dn+ *", r"\df app.*", r"\df+ app.*", r"\df lower", r"\df+ lower", r"\da max", r"\dT app.*", r"\dT+ app.*", r"\dT int4",
    r"\dD app.*", r"\dD+ app.*", r"\do ||", r"\dC text", r"\dO C*", r"\du nurse1", r"\du *", r"\dp patients", r"\dp *.*", r"\z stays", r"\dd app.*", r"\dd *", r"\dx *", r"\dconfig *", r"\dconfig work_mem",
    r"\dconfig server*", r"\dF simple", r"\dP observations", r"\dP+ *.*", r"\dA *", r"\dL plpgsql", r"\l *", r"\sf app.bmi", r"\sf+ app.bmi", r"\sf lower(text)", r"\sv patient_stays", r"\sv+ public.patient_stays",
    r"\d pg_class", r"\d pg_catalog.pg_roles", r"\d information_schema.tables", r"\dS pg_am", r"\sf pg_catalog.age(xid)", r"\d pg_stat_activity", r"\d+ pg_stats",
]
# What does not exist for a restricted session, in every form.
HIDDEN = [
    r"\d staff_salaries", r"\d+ staff_salaries", r"\d public.staff*", r"\dt staff_salaries", r"\d documents", r"\d+ invoices", r"\d zzcanary_b", r"\d+ zz*", r"\d zz*.*", r"\dt zzcanary_schema.*", r"\dn zz*",
    r"\di zzcanary_index", r"\d zzcanary_index", r"\dX zz*", r"\dRp zzcanary_pub", r"\dRp+ *", r"\dv zzcanary_view", r"\sv zzcanary_view", r"\d+ zzcanary_view", r"\sf app.touch", r"\sf app.luhn_valid", r"\df+ app.touch",
    r"\dp staff_salaries", r"\z zz*", r"\dd zz*", r"\dT zz*", r"\d invoices_id_seq", r"\ds staff*", r"\du postgres", r"\du pgvigil*", r"\d pgvigil*", r'\d "pgvigil:*".*', r'\dn "pgvigil*"', r'\df "pgvigil:*".*', r"\d pg_temp*.*",
]
EVERYTHING = BARE + PATTERNS + HIDDEN
SHORT = [r"\d", r"\d+ patients", r"\d stays", r"\dt+", r"\dv+", r"\dm+", r"\di+", r"\dP+", r"\dT+", r"\dD+ *.*", r"\df *.a*", r"\dp", r"\dd", r"\dn+", r"\l+", r"\du", r"\dx+", r"\dconfig"]
