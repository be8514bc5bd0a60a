# shellcheck shell=bash
# What Debian 12 must have. Only what is missing is installed, without a question, and nothing that is installed starts
# a service or makes a database cluster.

PACKAGES_BUILD=(gcc libc6-dev cmake ninja-build pkg-config libpq-dev libssl-dev libconfig-dev libevent-dev libjansson-dev
    libxxhash-dev libzstd-dev libprotobuf-c-dev libpg-query-dev libcmocka-dev libxslt1-dev libxml2-dev)
PACKAGES_RUN=(postgresql-15 postgresql-client-15 openssl)
PACKAGES_TEST=(git python3 python3-psycopg python3-psycopg2 python3-pytest python3-sqlalchemy python3-django sqlsmith
    nodejs libpostgresql-jdbc-java default-jdk-headless pgbouncer valgrind clang-format-14 zstd rsyslog rsyslog-gnutls
    curl python3-jsonschema chromium-headless-shell poppler-utils)

# What a package is wanted for, where something else can stand in for it: a JDK that Debian did not ship, say.
package_present() {
    case $1 in
        default-jdk-headless) command -v javac >/dev/null && return 0 ;;
        nodejs) command -v node >/dev/null && return 0 ;;
    esac
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

packages_missing() {
    local package
    for package in "$@"; do
        package_present "$package" || printf '%s\n' "$package"
    done
}

# While packages are unpacked: no service is started (policy-rc.d), no cluster is made (createcluster.d). Both files go
# again; one that the machine already has stays as it is.
packages_quiet() {
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
        QUIET_POLICY=1
    fi
    mkdir -p /etc/postgresql-common/createcluster.d
    printf 'create_main_cluster = false\n' >/etc/postgresql-common/createcluster.d/zz-pgvigil.conf
}
packages_loud() {
    if [ -n "${QUIET_POLICY:-}" ]; then rm -f /usr/sbin/policy-rc.d; fi
    rm -f /etc/postgresql-common/createcluster.d/zz-pgvigil.conf
}

packages_apt() {
    local status=0
    export DEBIAN_FRONTEND=noninteractive
    trap packages_loud EXIT
    packages_quiet
    # A machine whose lists are older than a day, or absent, asks for new ones.
    if [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 2>/dev/null)" ]; then
        apt-get -q -o Acquire::Retries=3 update || status=$?
    fi
    apt-get -q -y -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold install --no-install-recommends "$@" || {
        apt-get -q -o Acquire::Retries=3 update
        apt-get -q -y -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold install --no-install-recommends "$@"
    }
}

# install_packages PACKAGE...
install_packages() {
    local missing
    mapfile -t missing < <(packages_missing "$@")
    if [ ${#missing[@]} -eq 0 ]; then
        step_begin "Packages"
        say "$STEP_TITLE: all $# are there"
        return 0
    fi
    [ "$(id -u)" -eq 0 ] || die "these packages are missing, and only root can install them: ${missing[*]}"
    command -v apt-get >/dev/null || die "this is not a Debian; wanted: ${missing[*]}"
    step "Installing ${#missing[@]} packages of $#" packages_apt "${missing[@]}"
}

# Debian's driver for node. Where node itself is another's package (which Debian's cannot be installed beside), it is
# unpacked into build/node and found by NODE_PATH.
NODE_PG=(node-pg node-split2 node-readable-stream node-xtend node-inherits node-string-decoder node-util-deprecate
    node-safe-buffer node-process-nextick-args node-isarray node-core-util-is)
export NODE_PATH=$ROOT/build/node/usr/share/nodejs:/usr/share/nodejs:/usr/lib/nodejs

node_pg_works() { node -e 'require("pg")' 2>/dev/null; }

node_pg_apt() {
    local package
    if apt-get -q -s install --no-install-recommends node-pg >/dev/null 2>&1 && packages_apt node-pg && node_pg_works; then return 0; fi
    rm -rf "$ROOT/build/node"
    mkdir -p "$ROOT/build/node"
    # apt-get downloads as a user of its own, who may not write here.
    cd "$(mktemp -d)"
    for package in "${NODE_PG[@]}"; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root download "$package"
        fi
    done
    for package in *.deb; do dpkg-deb -x "$package" "$ROOT/build/node"; done
    rm -rf "$PWD"
    node_pg_works
}

install_node_pg() {
    if node_pg_works; then
        step_begin "Debian's driver for node"
        say "$STEP_TITLE: there"
    else
        step "Debian's driver for node" node_pg_apt
    fi
}
