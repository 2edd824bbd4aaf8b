"""gunicorn reads this file in the folder in which it is started: ``gunicorn app:app``."""

from __future__ import annotations

import os

# Behind nginx on the same machine, a socket keeps other users of the machine out: unix:/run/shop/gunicorn.sock
bind = os.environ.get("BIND", "127.0.0.1:8000")

# gthread: each process answers as many requests at the same time as it has threads. The choice for most apps.
# sync:    each process answers one request at a time. Needs more processes, and a proxy in front.
# gevent:  each process answers many requests at the same time, if all libraries of the app work with gevent.
worker_class = os.environ.get("WORKER_CLASS", "gthread")
workers = int(os.environ.get("WEB_CONCURRENCY", "4" if worker_class == "sync" else "2"))
threads = 8 if worker_class == "gthread" else 1

# The cookies of a session with large claims do not fit the 8 kB that gunicorn takes otherwise.
limit_request_field_size = 16384

# A running request gets this many seconds when the server is reloaded or stopped.
graceful_timeout = 30

# gunicorn's command gunicornc is not used here, and its socket is in a folder that a service cannot write to.
control_socket_disable = True
