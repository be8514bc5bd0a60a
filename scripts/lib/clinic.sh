# shellcheck shell=bash
# The clinic's database in a private PostgreSQL, and pgvigil's configuration before it.

CLINIC=$ROOT/examples/clinic
DEMO_USERS=(dr.martin nurse1 nurse2 reception1 billing1 research1 audit1 admin1)

# clinic_load: database `records`, owned by `clinic`, filled; the roles of roles.sql.
clinic_load() {
    psql_direct -v ON_ERROR_STOP=1 -c 'CREATE ROLE clinic NOLOGIN' -c 'CREATE DATABASE records OWNER clinic'
    psql_direct -v ON_ERROR_STOP=1 -d records -c 'SET ROLE clinic' -f "$CLINIC/schema.sql"
    psql_direct -v ON_ERROR_STOP=1 -d records -c 'SET ROLE clinic' -f "$CLINIC/data.sql"
}

# clinic_roles LOGIN_PASSWORD DBA_PASSWORD
clinic_roles() {
    psql_direct -v ON_ERROR_STOP=1 -d records -v login_password="$1" -v dba_password="$2" -f "$CLINIC/roles.sql"
}

# clinic_config FILE PORT LOGIN_PASSWORD DBA_PASSWORD: from the template; holds passwords, so 0600.
clinic_config() {
    (umask 077 && sed -e "s|@PORT@|$2|g" -e "s|@PG_PORT@|$PG_PORT|g" -e "s|@LOGIN_PASSWORD@|$3|g" \
        -e "s|@DBA_PASSWORD@|$4|g" -e "s|@POLICY@|$CLINIC/policy|g" "$CLINIC/pgvigil.cfg.in" >"$1")
}

# clinic_deploy CONFIG
clinic_deploy() {
    "$PGVIGIL" deploy -c "$1" --database records --as "host=$PG_SOCKET port=$PG_PORT dbname=records user=postgres"
}

# vigil_start CONFIG PORT: sets VIGIL_PID and VIGIL_PORT; ends with the script.
vigil_start() {
    VIGIL_PORT=$2
    start_process "$LOGS/pgvigil.log" "$PGVIGIL" serve -c "$1"
    VIGIL_PID=$STARTED_PID
    cleanup "stop_process $VIGIL_PID TERM"
    if ! wait_for_port "$VIGIL_PORT" "$VIGIL_PID" 30; then
        tail -n 20 "$LOGS/pgvigil.log" >&2
        die "pgvigil did not start"
    fi
}

# psql_as USER ARGUMENT...: through pgvigil, TLS verified, the demo password.
psql_as() {
    local user=$1
    shift
    PGPASSWORD=$user-demo "$PG_BIN/psql" -X "host=localhost port=$VIGIL_PORT dbname=records user=$user sslmode=verify-full sslrootcert=$WORK/certs/ca.crt" "$@"
}

# psql_as_lab ARGUMENT...: svc-lab has a certificate and no password.
psql_as_lab() {
    "$PG_BIN/psql" -X "host=localhost port=$VIGIL_PORT dbname=records user=svc-lab sslmode=verify-full sslrootcert=$WORK/certs/ca.crt sslcert=$WORK/certs/client.crt sslkey=$WORK/certs/client.key" "$@"
}
