#!/bin/sh
# One door for every process of Leadrouter: in a container, under systemd, or by hand.
#
#   ops/entrypoint.sh secrets            make the secrets that are not there yet, and end
#   ops/entrypoint.sh release            migrations that wait for no lock, and static files
#   ops/entrypoint.sh web|worker|beat    that process, in the foreground; SIGTERM ends it gracefully
#   ops/entrypoint.sh manage …           a command of manage.py
#
# SECRETS names a folder with the files secret_key and database_password; without it the environment has them.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python}

# Make a secret once, readable by us alone; of two who make it at once the first wins.
make_secret() {
    [ -s "$SECRETS/$1" ] && return
    (
        umask 077
        "$PYTHON" -c 'import secrets; print(secrets.token_urlsafe(50), end="")' >"$SECRETS/.$1.$$"
        ln "$SECRETS/.$1.$$" "$SECRETS/$1" 2>/dev/null || true
        rm -f "$SECRETS/.$1.$$"
    )
}

use_secrets() {
    if [ -z "${SECRET_KEY:-}" ] && [ -z "${SECRET_KEY_FILE:-}" ]; then
        export SECRET_KEY_FILE="$SECRETS/secret_key"
    fi
    if [ -z "${DATABASE_URL:-}" ] && [ -n "${DATABASE_HOST:-}" ]; then
        DATABASE_URL="postgres://${DATABASE_USER:-leadrouter}:$(cat "$SECRETS/database_password")@$DATABASE_HOST:${DATABASE_PORT:-5432}/${DATABASE_NAME:-leadrouter}"
        export DATABASE_URL
    fi
}

if [ -n "${SECRETS:-}" ]; then
    make_secret secret_key
    make_secret database_password
    use_secrets
fi

role=${1:-web}
[ $# -eq 0 ] || shift
case $role in
secrets) ;;
release) exec "$PYTHON" manage.py upgrade "$@" ;;
manage) exec "$PYTHON" manage.py "$@" ;;
web)
    # The request counters of all web processes of this start: an empty folder of our own.
    PROMETHEUS_MULTIPROC_DIR=${PROMETHEUS_MULTIPROC_DIR:-${TMPDIR:-/tmp}/leadrouter-metrics-$(id -u)}
    mkdir -p "$PROMETHEUS_MULTIPROC_DIR"
    rm -f "$PROMETHEUS_MULTIPROC_DIR"/*.db
    export PROMETHEUS_MULTIPROC_DIR
    exec "$PYTHON" -m leadrouter.server --host "${HOST:-0.0.0.0}" --port "${PORT:-8000}" \
        --workers "${WEB_WORKERS:-2}" --threads "${WEB_THREADS:-4}" --backlog "${WEB_BACKLOG:-1024}" --grace 25 "$@"
    ;;
worker)
    exec "$PYTHON" -m celery -A leadrouter.celery worker --pool threads --concurrency "${WORKER_THREADS:-4}" \
        --without-gossip --without-mingle --loglevel WARNING "$@"
    ;;
beat) exec "$PYTHON" -m celery -A leadrouter.celery beat --pidfile= --loglevel WARNING "$@" ;;
*)
    echo "usage: $0 secrets|release|web|worker|beat|manage …" >&2
    exit 64
    ;;
esac
