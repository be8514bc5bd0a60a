# shellcheck shell=bash
# scripts/demo --check: what each person saw, and the essentials, compared with what PostgreSQL says when asked directly.

CHECK_FAILED=0

check_ok() { printf '  ok    %s\n' "$1"; }
check_failed() {
    printf '  FAIL  %s\n        %s\n' "$1" "$(printf '%s' "${2:-}" | tr '\n' ' ' | cut -c 1-300)"
    CHECK_FAILED=1
}

# check_equal TITLE WANTED GOT: an empty answer never counts as equal.
check_equal() {
    if [ -n "$2" ] && [ "$2" = "$3" ]; then check_ok "$1"; else check_failed "$1" "wanted '$2', got '$3'"; fi
}

# check_refused TITLE USER SQL WORD: an error that names WORD, and not one row.
check_refused() {
    local out err status=0
    out=$(psql_as "$2" -At -v VERBOSITY=verbose -c "$3" 2>"$WORK/stderr") || status=$?
    err=$(cat "$WORK/stderr")
    if [ "$status" -ne 0 ] && [ -z "$out" ] && [[ $err == *ERROR:* ]] && [[ $err == *"$4"* ]]; then
        check_ok "$1"
    else
        check_failed "$1" "exit code $status, $err $out"
    fi
}

as() { psql_as "$1" -At -c "$2" 2>&1 || true; }
direct() { psql_direct -d records -At -c "$1"; }

check_sessions() {
    local user status
    for user in "${DEMO_USERS[@]}" ward-app svc-lab; do
        printf '\n=== %s\n' "$user"
        status=0
        if [ "$user" = svc-lab ]; then
            psql_as_lab -q -f "$CLINIC/sessions/$user.sql" >"$WORK/stdout" 2>&1 || status=$?
        else
            psql_as "$user" -q -f "$CLINIC/sessions/$user.sql" >"$WORK/stdout" 2>&1 || status=$?
        fi
        sed -e 's/^psql:[^ ]*sessions\/[^ ]* //' -e 's/^/    /' "$WORK/stdout"
        if [ "$status" -ne 0 ]; then check_failed "$user: the session" "psql ended with exit code $status"; fi
    done
}

check_essentials() {
    local reads real seen
    printf '\n=== Checked against PostgreSQL itself\n'

    check_equal 'nurse1 sees the patients of wards 1 and 2 and no other' \
        "$(direct "SELECT count(*), md5(string_agg(id::text, ',' ORDER BY id)) FROM patients WHERE ward_id IN (1, 2)")" \
        "$(as nurse1 "SELECT count(*), md5(string_agg(id::text, ',' ORDER BY id)) FROM patients")"
    check_equal 'nurse1 sees the same names as PostgreSQL holds' \
        "$(direct "SELECT md5(string_agg(family_name || given_name || birth_date, ',' ORDER BY id)) FROM patients WHERE ward_id IN (1, 2)")" \
        "$(as nurse1 "SELECT md5(string_agg(family_name || given_name || birth_date, ',' ORDER BY id)) FROM patients")"
    check_equal 'nurse1 breaks the glass for one patient of another ward' \
        "$(direct "SELECT id, family_name, blood_group FROM patients WHERE id = 3")" \
        "$(psql_as nurse1 -qAt -c "SET pgvigil.patient = '3'; SET pgvigil.reason = 'contrôle de la démonstration, patient 3'; SET pgvigil.mission = 'emergency'; SELECT id, family_name, blood_group FROM patients" 2>&1 || true)"
    check_refused 'nurse1 does not break it without a reason' nurse1 "SET pgvigil.mission = 'emergency'" reason
    check_refused 'reception1 has no such mission' reception1 "SET pgvigil.mission = 'emergency'" emergency
    check_refused 'nurse1 has no column nir' nurse1 'SELECT nir FROM patients' nir
    reads=$(as nurse1 'SELECT * FROM patients LIMIT 1' | awk -F'|' '{print NF}')
    check_equal 'nurse1: SELECT * has fifteen columns, nir and preferences not among them' 15 "$reads"
    check_equal 'nurse1 sees the observations of her patients, over all partitions' \
        "$(direct "SELECT count(*), sum(value) FROM observations WHERE patient_id IN (SELECT id FROM patients WHERE ward_id IN (1, 2))")" \
        "$(as nurse1 'SELECT count(*), sum(value) FROM observations')"
    check_equal 'dr.martin sees those in whose care team he is' \
        "$(direct "SELECT count(*) FROM patients p WHERE EXISTS (SELECT 1 FROM care_team t WHERE t.patient_id = p.id AND t.practitioner = '10000000017' AND (t.ends_on IS NULL OR t.ends_on >= current_date))")" \
        "$(as dr.martin 'SELECT count(*) FROM patients')"
    check_equal 'reception1 sees names and telephones' \
        "$(direct "SELECT md5(string_agg(family_name || coalesce(phone, ''), ',' ORDER BY id)) FROM patients")" \
        "$(as reception1 "SELECT md5(string_agg(family_name || coalesce(phone, ''), ',' ORDER BY id)) FROM patients")"
    check_equal 'reception1 sees the end of a social-security number' \
        "$(direct "SELECT repeat('*', 13) || right(nir, 2) FROM patients WHERE id = 1")" \
        "$(as reception1 'SELECT nir FROM patients WHERE id = 1')"
    check_refused 'reception1 has no diagnosis' reception1 'SELECT diagnosis FROM stays' diagnosis
    check_refused 'reception1 has no results of the laboratory' reception1 'SELECT * FROM lab_results' lab_results
    check_equal 'billing1 sees what is invoiced' "$(direct 'SELECT sum(amount) FROM invoices')" "$(as billing1 'SELECT sum(amount) FROM invoices')"
    check_refused 'billing1 has no diagnosis' billing1 'SELECT diagnosis FROM stays' diagnosis

    check_equal 'research1 sees years of birth only' 0 \
        "$(as research1 "SELECT count(*) FROM patients WHERE birth_date <> date_trunc('year', birth_date::timestamp)::date")"
    real=$(direct 'SELECT string_agg(id::text, chr(10)) FROM patients')
    seen=$(as research1 'SELECT id FROM patients ORDER BY id LIMIT 200')
    if [[ $seen =~ ^-?[0-9] ]] && [ "$(grep -cxFf <(printf '%s\n' "$real") <<<"$seen" || true)" -lt 3 ]; then
        check_ok 'research1 sees pseudonyms for numbers'
    else
        check_failed 'research1 sees pseudonyms for numbers' "$seen"
    fi
    check_equal 'research1: pseudonyms still join' \
        "$(direct "SELECT count(*) FROM patients p JOIN stays s ON s.patient_id = p.id WHERE NOT EXISTS (SELECT 1 FROM objections o WHERE o.patient_id = p.id AND o.purpose = 'research')")" \
        "$(as research1 'SELECT count(*) FROM patients p JOIN stays s ON s.patient_id = p.id')"
    check_refused 'research1 has no names' research1 'SELECT family_name FROM patients' family_name

    check_refused 'audit1 has none of the records' audit1 'SELECT count(*) FROM patients' patients
    check_equal 'admin1 sees what PostgreSQL holds' "$(direct 'SELECT md5(string_agg(p::text, chr(10) ORDER BY id)) FROM patients p')" \
        "$(as admin1 'SELECT md5(string_agg(p::text, chr(10) ORDER BY id)) FROM patients p')"
    check_refused 'a table that no rule mentions is refused by name' nurse1 'SELECT * FROM staff_salaries' staff_salaries
    check_refused 'a table that is not there is refused by name' nurse1 'SELECT * FROM no_such_table' no_such_table
    check_equal 'svc-lab, by certificate, sees years of birth' t \
        "$(psql_as_lab -At -c "SELECT bool_and(extract(month FROM birth_date) = 1 AND extract(day FROM birth_date) = 1) FROM patients" 2>&1 || true)"
    check_equal 'ward-app, for nurse3, sees the patients of ward 4' \
        "$(direct "SELECT count(*), md5(string_agg(id::text, ',' ORDER BY id)) FROM patients WHERE ward_id = 4")" \
        "$(as ward-app "BEGIN; SET LOCAL pgvigil.user = 'nurse3'; SELECT count(*), md5(string_agg(id::text, ',' ORDER BY id)) FROM patients; COMMIT" | grep -F '|')"
    check_refused 'ward-app by itself has nothing' ward-app 'SELECT count(*) FROM patients' ward-app
    check_refused 'ward-app does not act for reception1' ward-app "SET pgvigil.user = 'reception1'" reception1
    if PGPASSWORD=wrong "$PG_BIN/psql" -X -At "host=localhost port=$VIGIL_PORT dbname=records user=nurse1 sslmode=require" -c 'SELECT 1' >"$WORK/stdout" 2>"$WORK/stderr"; then
        check_failed 'a wrong password is refused' "$(cat "$WORK/stdout")"
    else
        check_ok 'a wrong password is refused'
    fi
    if PGPASSWORD=nurse1-demo "$PG_BIN/psql" -X -At "host=localhost port=$VIGIL_PORT dbname=records user=nurse1 sslmode=disable" -c 'SELECT 1' >"$WORK/stdout" 2>"$WORK/stderr"; then
        check_failed 'a connection without TLS is refused' "$(cat "$WORK/stdout")"
    else
        check_ok 'a connection without TLS is refused'
    fi

    check_audit
    if [ "$CHECK_FAILED" = 0 ]; then say "Everything is as it must be."; else say "Something is not as it must be."; fi
}

# Every read above left a line before its rows did: whose, and what.
check_audit() {
    local user lines
    for user in "${DEMO_USERS[@]}" svc-lab; do
        lines=$(cat "$WORK"/audit/*.jsonl 2>/dev/null | grep -F "\"person\":\"$user\"" | grep -cF '"statement":"SELECT","decision":"allow"' || true)
        if [ "$lines" -gt 0 ]; then check_ok "the audit has $user's reads ($lines)"; else check_failed "the audit has $user's reads"; fi
    done
    lines=$(cat "$WORK"/audit/*.jsonl 2>/dev/null | grep -F '"person":"nurse1"' | grep -F '"decision":"deny"' | grep -cF staff_salaries || true)
    if [ "$lines" -gt 0 ]; then check_ok 'the audit has the refusals'; else check_failed 'the audit has the refusals'; fi
    lines=$(cat "$WORK"/audit/*.jsonl 2>/dev/null | grep -F '"person":"nurse1"' | grep -F '"break_glass":true' | grep -F '"patient":"3"' | grep -cF '"statement":"SELECT","decision":"allow"' || true)
    if [ "$lines" -gt 0 ] && grep -qF '"event":"break-glass-begin"' "$WORK"/audit/*.jsonl && grep -qF event=break-glass "$LOGS/pgvigil.log"; then
        check_ok 'the audit and the log have the broken glass'
    else
        check_failed 'the audit and the log have the broken glass'
    fi
    if "$PGVIGIL" audit search -c "$config" --patient 3 --user nurse1 --break-glass "$WORK/audit" >"$WORK/stdout" 2>&1; then
        check_ok 'the audit names patient 3 in what nurse1 read behind the broken glass'
    else
        check_failed 'the audit names patient 3 in what nurse1 read behind the broken glass' "$(cat "$WORK/stdout")"
    fi
    lines=$(cat "$WORK"/audit/*.jsonl 2>/dev/null | grep -F '"person":"nurse3","login":"ward-app","identity":"asserted"' | grep -cF '"statement":"SELECT","decision":"allow"' || true)
    if [ "$lines" -gt 0 ]; then check_ok "the audit has nurse3's reads over ward-app ($lines)"; else check_failed "the audit has nurse3's reads over ward-app"; fi
    as nurse1 "SELECT count(*) FROM patients WHERE family_name = 'Zzyzx-literal'" >/dev/null
    if grep -rqF Zzyzx-literal "$WORK/audit" "$LOGS/pgvigil.log"; then
        check_failed 'neither the audit nor the log holds a literal of the clients'
    else
        check_ok 'neither the audit nor the log holds a literal of the clients'
    fi
    if "$PGVIGIL" audit verify --public-key "$WORK/certs/audit.pub" "$WORK/audit" >"$WORK/stdout" 2>&1; then
        check_ok "the audit verifies: $(tail -n 1 "$WORK/stdout")"
    else
        check_failed 'the audit verifies' "$(cat "$WORK/stdout")"
    fi
}
