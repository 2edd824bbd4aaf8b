"""Makes users with a real Django and writes what ``manage.py dumpdata`` writes to the file that it is given."""

from __future__ import annotations

import sys
from importlib import import_module  # Django has no types

PASSWORD = "correct horse 1"

import_module("django.conf").settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    PASSWORD_HASHERS=[
        f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ("PBKDF2", "Scrypt", "BCryptSHA256", "MD5")
    ],
    USE_TZ=True,
)
import_module("django").setup()
# Those of a release take a quarter of a second and more for each check of a password. The form of a hash is the same.
hashers = import_module("django.contrib.auth.hashers")
hashers.PBKDF2PasswordHasher.iterations = 5000
hashers.ScryptPasswordHasher.work_factor = 2**10
hashers.BCryptSHA256PasswordHasher.rounds = 4
make_password = hashers.make_password
call_command = import_module("django.core.management").call_command
models = import_module("django.contrib.auth.models")

call_command("migrate", verbosity=0)
editors = models.Group.objects.create(name="editors")
for hasher in ("pbkdf2_sha256", "scrypt", "bcrypt_sha256", "md5"):
    user = models.User(
        username=hasher,
        email=f"{hasher}@Example.com",
        first_name="Ada",
        password=make_password(PASSWORD, hasher=hasher),
    )
    user.save()
    user.groups.add(editors)
models.User.objects.create_user("unusable", "unusable@example.com")
models.User.objects.create_user("nomail", password=None)
models.User.objects.create_user("gone", "gone@example.com", is_active=False)
call_command("dumpdata", *sys.argv[2:], output=sys.argv[1], verbosity=0)
