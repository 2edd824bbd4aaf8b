"""What the doctor can find: the id of each finding, how bad it is, and its cure."""

from __future__ import annotations

import attrs

_TABLE = """
access-token-life | warning | Leave access_token_validity below a day: tokens are good until they expire.
api-domain-host | error | Set api_domain to the address that browsers use, or give the doctor that address.
api-domain-port | error | Set api_domain to the address that browsers use, with its port.
api-domain-scheme | error | Set api_domain to the address that browsers use, https:// behind a proxy with TLS.
authorization-removed | warning | Have the server pass it on (mod_wsgi: WSGIPassAuthorization On), or use cookies.
base-path | error | Set api_base_path to the path that the app sees, and api_gateway_path to what a gateway removes.
cacheable | error | Have proxies leave Cache-Control alone, and store nothing below the base path of the API.
certificate | error | Install a certificate that browsers trust, with all certificates between it and the authority.
check-failed | error | The doctor has a fault. Please report this line.
clock | error | Have both machines set their clocks by NTP: tokens expire by the clock.
cookie-domain | error | Set cookie_domain to the host of the API or a parent of it, or leave it out.
cookie-http-only | error | Have the proxy leave HttpOnly in Set-Cookie: without it, scripts can read the tokens.
cookie-not-secure | error | Leave cookie_secure alone, and have no proxy remove Secure from Set-Cookie.
cookie-path | error | Set api_gateway_path to what the gateway removes, and have no proxy change the paths of cookies.
cookie-same-site | error | Leave cookie_same_site alone and use https, or put the website and the API below one domain.
cookie-same-site-insecure | error | Use https: browsers drop SameSite=None cookies that are not Secure.
cookies-not-sent | error | Have the proxy pass the Cookie header on.
cookies-not-set | error | Have the proxy pass Set-Cookie on, each header by itself.
core-clock | error | Have both machines set their clocks by NTP: tokens expire by the clock.
core-host-down | warning | Start that core, or take its address out of the setting core.
core-in-memory | error | Use core='sqlite:///auth.db' or the address of a core: memory is lost at each restart.
core-key | error | Set api_key to one of the keys that the core is configured with.
core-not-a-core | error | Set core to the address of a SuperTokens core, with its base path if it has one.
core-plain-http | warning | Use https to the core, or a network of your own: the calls have the key and passwords.
core-unavailable | error | Start the core, and check its address, its port and the firewall.
core-version | error | Upgrade the core to one with CDI 5.4 (the official core from 11.4 on), or set cdi_versions.
core-without-key | warning | Set a key in the core and in the app: everyone who reaches the core can change all users.
cors-credentials | error | Allow credentials: Cors(...) does, in flask-cors it is supports_credentials=True.
cors-doubled | error | Let one layer alone answer browsers: remove the CORS headers of the proxy or of the app.
cors-errors | error | Have the proxy or the CORS layer add its headers to responses of each status, 401 and 403 too.
cors-expose | error | Add get_all_cors_expose_headers() to the exposed headers of the CORS layer.
cors-headers | error | Add content-type and get_all_cors_headers() to the allowed headers of the CORS layer.
cors-origin | error | Add the website to the allowed origins, such as cors=Cors(origins=[...]).
cors-preflight | error | Set cors=Cors(origins=[...]), or have the CORS layer and the proxy answer OPTIONS.
csrf-off | error | Leave anti_csrf alone: every website can act for users who are signed in.
database-in-static-files | error | Move the database out of the folder: visitors can download it.
database-mode | error | Take the permissions of other users away: chmod 600 for the files, 755 or less for the folder.
database-readable | error | Revoke these rights: the tables have password hashes and signing keys.
database-superuser | warning | Give the core a role that owns the schema of the core and nothing else.
debug | error | Switch debugging off in production: its pages show settings and can run code.
development-origin | warning | Take addresses of your own machine out of the settings of production.
development-server | error | Serve the app with a production server, such as gunicorn.
fast-hash | error | Leave argon2_memory_kb and bcrypt_log_rounds alone: fast hashes are for tests.
header-limit | error | Raise the limit of headers to 16 kB in the server and in each proxy (docs/servers.md).
keys-missing | error | Check the database of the core: it makes a key when it is asked for the keys.
licence | error | Give the core a licence with this feature, or leave the recipe out, or use the embedded core.
limits-in-memory | warning | Pass a store that all processes share: AttemptLimits(store=...).
limits-off | warning | Leave rate_limit alone, unless a server in front limits attempts.
logging-off | warning | Set disable_existing_loggers to False in the logging settings.
loopback-spelling | error | Use one spelling of the host, such as localhost: 127.0.0.1 is another site for browsers.
mail-console | error | Pass email_delivery=SMTP(...) or a function: readers of the output can open accounts.
mixed-content | error | Serve the API by https too: browsers block http calls from https pages.
one-at-a-time | warning | Give the server threads or workers: now one slow request holds up all others.
other-core | error | Start both with the same core: sqlite:///auth.db is relative to the current folder.
plain-http | error | Use https: everyone on the way can read tokens and passwords.
plain-http-origin | warning | Allow only https origins: attackers can change an http page and act for its users.
pool-too-large | error | Lower pool_size in the address of the core, or raise max_connections of the server.
post-blocked | error | Let the proxy or firewall pass POST requests to the base path of the API.
redirected | error | Use the address that the redirect leads to: browsers follow no redirect in a preflight.
refresh-broken | error | Look into the log of the app for this request.
refused | error | Do what the message says: the app does not start with this setting.
routes-missing | error | Wrap the app, such as app.wsgi_app = st.wrap(app.wsgi_app); check the base path and the proxy.
same-site-none | warning | Leave cookie_same_site alone: website and API are one site, so lax protects more.
server-error | error | Look into the logs of the proxy and of the app.
sms-console | error | Pass sms_delivery=Twilio(...) or a function: readers of the output can open accounts.
trusted-proxies | warning | Set trusted_proxies to the number of your proxies, or to 0 if there is none.
unreachable | error | Start the server, and check the address, the port and the firewall.
worker-class | error | Use the worker class sync, gthread or gevent: st-wsgi is for WSGI.
"""


KNOWN: dict[str, tuple[str, str]] = {
    name: (severity, cure) for name, severity, cure in (line.split(" | ") for line in _TABLE.strip().splitlines())
}
"""From the id of each finding to ``error`` or ``warning``, and the cure. Ids stay the same from release to release."""


def _plain(text: str) -> str:
    """Return a text without control characters, since servers choose parts of it and it is printed to a terminal."""
    return "".join(one if " " <= one <= "~" else ascii(one)[1:-1] for one in text[:800])


@attrs.frozen
class Finding:
    """
    Something that is wrong.

    :param id: of a row of :data:`KNOWN`.
    :param problem: what is wrong here, in one line without secrets.
    """

    id: str
    problem: str = attrs.field(converter=_plain)

    def json(self) -> dict[str, str]:
        """Return this finding as a JSON object."""
        severity, cure = KNOWN[self.id]
        docs = f"docs/doctor.md#{self.id}"
        return {"id": self.id, "severity": severity, "problem": self.problem, "cure": cure, "docs": docs}

    def text(self) -> str:
        """Return this finding as lines for people."""
        return "{severity} {id}: {problem}\n  cure: {cure}\n  more: {docs}".format(**self.json())
