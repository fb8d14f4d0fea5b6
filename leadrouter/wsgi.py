"""The program as WSGI; leadrouter/server serves it, and any other server could."""

import gc
import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadrouter.settings")
application = get_wsgi_application()

# What is loaded now stays for good, and a request among a thousand members makes thousands of short-lived tuples: the
# collector need not walk the former because of the latter. Measured: a third of such a request's processor time.
gc.freeze()
# A bulk request leaves thousands of cycles, and what was frozen makes a full collection cheap: so there are many of them.
# Measured: by default a worker's memory grew by a seventh over 40,000 leads in bulk, so it grows by a twelfth and stays.
gc.set_threshold(10_000, 2, 1)

# A thread that comes back from the database may hold a registry's lock: it must not wait for the interpreter as long as
# Python lets another one run by default, 5 ms. Measured: a tenth more leads through one hot registry.
sys.setswitchinterval(0.0005)
