"""Every setting of the program, read from the environment; .env.example lists them with a comment each."""

import zoneinfo
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
import structlog
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from .development import private_services
from .request_log import without_addresses, without_people

zoneinfo.reset_tzpath(to=())  # the pinned tzdata package, not whatever the machine has
BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()  # NAME, or the content of the file named in NAME_FILE
env.read_env(BASE_DIR / ".env")  # for development; the environment wins

# --- What must be right before anything else ------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
# Whoever brings a database brings a key; a checkout on its private database makes one for itself, once.
PRIVATE = not env.str("DATABASE_URL", default="").strip()
SECRET_KEY = (env.str("SECRET_KEY", default="") if PRIVATE else env.str("SECRET_KEY")).strip()
SECRET_KEY = SECRET_KEY or private_services.secret_key()
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])  # of before, while sessions signed by them live
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "leadrouter",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "django_otp_webauthn",
    "accounts",
    "routing",
    "reports",
    "unfold.apps.BasicAppConfig",  # the look of the admin; all that knows it is accounts/admin_theme.py
    "unfold.contrib.filters",
    "leadrouter.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
]

MIDDLEWARE = [
    "leadrouter.request_log.RequestId",
    "leadrouter.health.RequestMetrics",
    "django.middleware.security.SecurityMiddleware",
    "leadrouter.caching.NothingKept",
    "leadrouter.content_security.ContentSecurity",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "leadrouter.problems.ProblemMiddleware",
    "leadrouter.key_requests.KeyRequests",  # with an API key, nothing behind this line is run
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "leadrouter.compression.AdminGZip",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SessionLimits",
    "django_otp.middleware.OTPMiddleware",
    "accounts.middleware.SecondFactor",
    "accounts.people.preferences.OwnLanguageAndTime",
    "accounts.history.changes.SignChanges",
    "accounts.middleware.Online",
    "django_htmx.middleware.HtmxMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "accounts.middleware.TolerantAdmin",
    "axes.middleware.AxesMiddleware",  # last: it answers for a sign-in that is refused
]

ROOT_URLCONF = "leadrouter.urls"
WSGI_APPLICATION = "leadrouter.wsgi.application"
APPEND_SLASH = False  # every path answers with and without its last slash; a redirect would lose the body of a POST

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates", BASE_DIR / "templates" / "themes" / "unfold"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.people.roles.navigation",
            ],
        },
    },
]

# --- PostgreSQL -----------------------------------------------------------------------------------------------------

DATABASES = {
    "default": env.db_url_config(private_services.database_url() if PRIVATE else env.str("DATABASE_URL").strip())
}
# Django's own in fewer round trips; the private one also starts its server when first connected to.
DATABASES["default"]["ENGINE"] = "leadrouter.development.private_postgresql" if PRIVATE else "leadrouter.postgresql"
# Milliseconds. A stuck transaction must not hold a registry; a long report must not hold a connection for ever.
LOCK_TIMEOUT = env.int("DATABASE_LOCK_TIMEOUT", default=2_000)
STATEMENT_TIMEOUT = env.int("DATABASE_STATEMENT_TIMEOUT", default=10_000)
IDLE_IN_TRANSACTION_TIMEOUT = env.int("DATABASE_IDLE_IN_TRANSACTION_TIMEOUT", default=15_000)
# PgBouncer refuses start-up options and, in transaction mode, server-side cursors. Behind it set
# DATABASE_PGBOUNCER=true and give the role the same timeouts: ALTER ROLE leadrouter SET lock_timeout = '2s', and so on.
BEHIND_PGBOUNCER = env.bool("DATABASE_PGBOUNCER", default=False)
DATABASES["default"] |= {
    "ATOMIC_REQUESTS": False,
    "CONN_MAX_AGE": None,
    "CONN_HEALTH_CHECKS": True,
    "DISABLE_SERVER_SIDE_CURSORS": BEHIND_PGBOUNCER,
}
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 3)
DATABASES["default"]["OPTIONS"].setdefault("application_name", "leadrouter")
if not BEHIND_PGBOUNCER:
    DATABASES["default"]["OPTIONS"]["options"] = (
        f"-c lock_timeout={LOCK_TIMEOUT} -c statement_timeout={STATEMENT_TIMEOUT}"
        f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT} -c TimeZone=UTC"
    )

# --- Redis: cache and broker, each in its own database --------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", default="").strip()
CACHE_URL = env.str("CACHE_URL", default="") or private_services.cache_url(REDIS_URL)
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or private_services.broker_url(REDIS_URL)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": "leadrouter",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    },
}

# --- People and sessions --------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = env.int("SESSION_IDLE_SECONDS", default=12 * 3_600)  # without any request
SESSION_LONGEST_SECONDS = env.int("SESSION_LONGEST_SECONDS", default=7 * 86_400)  # however busy
PASSWORD_RESET_TIMEOUT = env.int("INVITATION_SECONDS", default=3 * 86_400)

# Wrong passwords: the fifth of one person from one address shuts that pair out for a while. Not the person: a stranger
# must not lock them out. How many proxies stand before us says which address in X-Forwarded-For nobody could make up.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=1 if env.bool("BEHIND_PROXY", default=False) else 0)
SIGN_INS_PER_MINUTE = env.int("SIGN_INS_PER_MINUTE", default=30)  # tries from one address, for whomever; 0: any
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # who goes on trying is not shut out for longer
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
AXES_CLIENT_IP_CALLABLE = "accounts.security.addresses.client_address"
AXES_USERNAME_FORM_FIELD = "username"  # under which a guard finds who tries, wherever a password is asked for
AXES_USERNAME_CALLABLE = "accounts.security.addresses.sign_in_name"
AXES_LOCKOUT_CALLABLE = "accounts.views.lock_out"
AXES_CLIENT_STR_CALLABLE = "accounts.security.addresses.nobody"  # what the log says of who tried: nothing
AXES_ENABLE_ADMIN = False
AXES_DISABLE_ACCESS_LOG = True  # sign-ins that went well are no business of a guard
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code", "passkey", "next"]  # what it does not write down
OTP_TOTP_ISSUER = "Leadrouter"
OTP_WEBAUTHN_RP_NAME = "Leadrouter"
OTP_WEBAUTHN_RP_ID_CALLABLE = "accounts.security.passkeys.domain"
OTP_WEBAUTHN_ALLOW_PASSWORDLESS_LOGIN = False  # a passkey is a second factor
# No list of origins: it is that of the request (accounts/security/passkeys.py).
SILENCED_SYSTEM_CHECKS = ["otp_webauthn.E030"]

# --- HTTPS: one switch, because half of it is worse than none -------------------------------------------------------

HTTPS = env.bool("HTTPS", default=False)  # true where users reach the program over https, as they should
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
if HTTPS:  # a browser takes such a cookie from this very host alone, over https alone
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
# Health and metrics are asked by probes inside the host, over plain http.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)/?$"]
if env.bool("BEHIND_PROXY", default=False):  # only behind a proxy that sets this header itself
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Requests a minute of one API key, unless the key says otherwise; 0: any. Beyond it 429 with Retry-After.
KEY_REQUESTS_PER_MINUTE = env.int("KEY_REQUESTS_PER_MINUTE", default=60_000)

# --- Sizes: a body is read into memory, so it has an end ------------------------------------------------------------

DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("MAX_BODY_BYTES", default=16 * 1024 * 1024)  # 1,000 leads of 16 KB each
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# --- Languages, time, static files ----------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ru", _("Russian")), ("es", _("Spanish")), ("pt-br", _("Portuguese (Brazil)"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"  # of storage; people see the zone of their account or their own

STATIC_URL = "static/"
# Where STATIC_ROOT names a folder, `collectstatic` fills it with compressed files under names that change with them.
# Without it they are served straight from the apps: compressing takes longer than a start may.
STATIC_ROOT = env.str("STATIC_ROOT", default="") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_ROOT
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DEMO_NOTE = private_services.DEMO_NOTE  # how to get into the demo; `make run` shows it again at every start
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(private_services.VAR / "media"))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Who runs a checkout reads letters in its terminal; a log is no place for them, so without a mail server there are none.
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://" if PRIVATE else "dummymail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="leadrouter@localhost")

UNFOLD = {
    "SITE_TITLE": "Leadrouter",
    "SITE_HEADER": "Leadrouter",
    "SITE_URL": "/",
    "SITE_SYMBOL": "alt_route",
    "SHOW_LANGUAGES": True,
    "LANGUAGES": {"action": "/language/"},
    "STYLES": [lambda request: static("leadrouter/admin.css")],
    "SCRIPTS": [lambda request: static("leadrouter/admin.js")],
    "SIDEBAR": {"navigation": "reports.navigation.sidebar", "show_search": True, "command_search": True},
}

# --- The API --------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "routing.api.authentication.ApiKeyAuthentication",  # first: its WWW-Authenticate makes refusals a 401
        "routing.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["routing.api.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "routing.api.renderers.AlwaysJSON",
    "DEFAULT_PARSER_CLASSES": ["routing.api.parsers.LeadJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "routing.api.pagination.NewestFirst",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "leadrouter.problems.exception_handler",
    "COERCE_DECIMAL_TO_STRING": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Leadrouter",
    "DESCRIPTION": "Takes leads, distributes them among managers, and says why.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
}

# --- Jobs and the sweep ---------------------------------------------------------------------------------------------

SWEEP_SECONDS = env.int("SWEEP_SECONDS", default=5)  # how late an overdue offer may be noticed
# No host's clock decides what is stale: the limit only clears a backlog of ticks after a long outage of the workers.
EXPIRY = {"expire_seconds": 3_600}
CELERY_BEAT_SCHEDULE = {  # written into the database by a beat that starts; intervals only, which know no time zone
    "sweep": {"task": "routing.tasks.sweep", "schedule": SWEEP_SECONDS, "options": EXPIRY},
    "prune": {"task": "routing.tasks.prune", "schedule": 3_600, "options": {"expire_seconds": 7_200}},
    "duplicates": {"task": "routing.tasks.find_duplicates", "schedule": 10, "options": EXPIRY},
    "letters": {"task": "accounts.tasks.send_letters", "schedule": 20, "options": EXPIRY},
    "worker heartbeat": {"task": "leadrouter.worker_heartbeat", "schedule": 10, "options": EXPIRY},
}
CELERY_BEAT_SCHEDULER = "leadrouter.beat:ClaimingScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = None
CELERY_TASK_TIME_LIMIT = 60  # below the visibility timeout, so that no job runs twice at once
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1}  # a door does not wait for its doorbell
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,  # the two that bring a killed worker's job back soon after the timeout
    "unacked_restore_throttle": 1,
    "socket_timeout": 15,
    "socket_connect_timeout": 3,
}
# /readyz answers 503 when the last sweep, or the last sign of a worker, is older than this.
READY_SWEEP_SECONDS = env.int("READY_SWEEP_SECONDS", default=max(30, 4 * SWEEP_SECONDS))
READY_WORKER_SECONDS = env.int("READY_WORKER_SECONDS", default=max(30, 4 * SWEEP_SECONDS))
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")  # when set, /metrics asks for it as a bearer token

# --- How long rows are kept that serve for a while; days, 0: for ever -------------------------------------------------

RETENTION = {
    "JOURNAL_DAYS": env.int("RETENTION_JOURNAL_DAYS", default=30),  # refused leads, with the body that came
    "IDEMPOTENCY_DAYS": env.int("RETENTION_IDEMPOTENCY_DAYS", default=30),  # answers to repeat; at least 7
    "IMPORT_DAYS": env.int("RETENTION_IMPORT_DAYS", default=90),  # rows of finished imports, as they were uploaded
    "SESSION_DAYS": env.int("RETENTION_SESSION_DAYS", default=1),  # after they ended
    "SIGN_IN_DAYS": env.int("RETENTION_SIGN_IN_DAYS", default=30),  # wrong passwords: login and address
    "ADMIN_LOG_DAYS": env.int("RETENTION_ADMIN_LOG_DAYS", default=730),
    "ONLINE_DAYS": env.int("RETENTION_ONLINE_DAYS", default=730),  # when managers were online
    "AUDIT_DAYS": env.int("RETENTION_AUDIT_DAYS", default=730),  # at least 90, as the database sees to
    "PERSON_DAYS": env.int("RETENTION_PERSON_DAYS", default=0),  # contacts erased so long after their last lead
}

# --- Logs: one JSON object a line, ids only -------------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
LOG_REQUESTS = env.bool("LOG_REQUESTS", default=False)  # a line of each request; else of those that fail or are slow
SLOW_REQUEST_SECONDS = env.float("SLOW_REQUEST_SECONDS", default=2.0)


def leave_out_requests(logger: object, name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Drop what Django adds to a record of a request: its address may hold names and phones."""
    event.pop("request", None)
    return event


BEFORE_RENDERING = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    leave_out_requests,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": BEFORE_RENDERING,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                without_addresses,
                without_people,
                structlog.processors.JSONRenderer(default=str),
            ],
        },
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Django's own would mail whole requests to ADMINS: addresses, forms and cookies.
        "django": {"handlers": [], "level": LOG_LEVEL},
        "django.server": {"handlers": ["stderr"], "level": LOG_LEVEL, "propagate": False},
        "axes": {"level": "WARNING"},  # it greets at every start
    },
}
