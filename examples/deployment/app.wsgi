"""What mod_wsgi loads. Apache gives the app no environment, so this reads the file that systemd reads for gunicorn."""

import os
from pathlib import Path

lines = Path("/etc/shop.env").read_text(encoding="utf-8").splitlines()
os.environ.update(line.split("=", 1) for line in lines if line and not line.startswith("#"))

from app import app as application
