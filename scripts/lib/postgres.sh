# shellcheck shell=bash
# A private PostgreSQL 15: its own folder, 127.0.0.1 and a socket that only root and postgres reach, TLS, a free port.
# It refuses to run as root, so root runs it as postgres.

PG_BIN=/usr/lib/postgresql/15/bin
AS_POSTGRES=()
if [ "$(id -u)" -eq 0 ]; then
    AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --clear-groups --)
fi

# postgres_make DIR CERTIFICATES: DIR/data, not started. The server's certificate is the one in CERTIFICATES.
postgres_make() {
    local dir=$1 certificates=$2
    mkdir -p "$dir"
    chmod 700 "$dir"
    if [ "$(id -u)" -eq 0 ]; then chown postgres:postgres "$dir"; fi
    (cd "$dir" && "${AS_POSTGRES[@]}" "$PG_BIN/initdb" -D "$dir/data" -U postgres --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256 --no-sync --no-instructions)
    install -m 600 "$certificates/server.key" "$dir/server.key"
    install -m 644 "$certificates/server.crt" "$dir/server.crt"
    install -m 644 "$certificates/ca.crt" "$dir/ca.crt"
    if [ "$(id -u)" -eq 0 ]; then chown postgres:postgres "$dir"/server.* "$dir/ca.crt"; fi
    cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
ssl = on
ssl_cert_file = '$dir/server.crt'
ssl_key_file = '$dir/server.key'
max_connections = 200
shared_buffers = 256MB
work_mem = 16MB
fsync = off
timezone = 'Europe/Paris'
log_timezone = 'Europe/Paris'
cluster_name = 'pgvigil-private'
CONF
    cat >"$dir/data/pg_hba.conf" <<CONF
# DIR is 0700: the socket is root's and postgres's only.
local   all all trust
hostssl all all 127.0.0.1/32 scram-sha-256
CONF
}

# postgres_start DIR: sets PG_PORT and PG_PID, and PGHOST for psql by the socket; ends with the script.
postgres_start() {
    local dir=$1 tries
    for tries in 1 2 3; do
        PG_PORT=$(free_port)
        start_process "$LOGS/postgres.log" env --chdir="$dir" "${AS_POSTGRES[@]}" "$PG_BIN/postgres" -D "$dir/data" -p "$PG_PORT"
        PG_PID=$STARTED_PID
        if wait_for_port "$PG_PORT" "$PG_PID" 30 && PGCONNECT_TIMEOUT=5 postgres_wait "$dir"; then
            cleanup "stop_process $PG_PID INT"
            PG_SOCKET=$dir
            return 0
        fi
        stop_process "$PG_PID" INT
    done
    tail -n 20 "$LOGS/postgres.log" >&2
    die "PostgreSQL did not start"
}

postgres_wait() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        "$PG_BIN/pg_isready" -q -h "$1" -p "$PG_PORT" && return 0
        sleep 0.1
    done
    return 1
}

# psql as the superuser, past pgvigil.
psql_direct() {
    "$PG_BIN/psql" -X -q -h "$PG_SOCKET" -p "$PG_PORT" -U postgres "$@"
}
