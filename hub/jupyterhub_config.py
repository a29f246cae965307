"""JupyterHub for one server and one course: real Unix users. docs/operators.md explains it.

Settings of your site (address, certificates, GPUs) go to PREFIX/hub/site.py, which is read last.
"""

import errno
import grp
import os
import pwd
import socket
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

from jupyterhub.auth import PAMAuthenticator
from jupyterhub.spawner import LocalProcessSpawner, SpawnException
from tornado.web import HTTPError
from traitlets import default

c = get_config()

PREFIX = Path(__file__).resolve().parents[2]
COURSE, ACCOUNT = "sft2rl", "grader-sft2rl"
STAFF, STUDENTS = "sft2rl-staff", "sft2rl-students"
# nbgrader's names for the hub's groups.
GRADERS, LEARNERS = f"formgrade-{COURSE}", f"nbgrader-{COURSE}"
PATH = "/usr/local/bin:/usr/bin:/bin"


def in_group(name: str, group: str) -> bool:
    """Whether a Unix account belongs to a Unix group."""
    return grp.getgrnam(group).gr_gid in os.getgrouplist(name, pwd.getpwnam(name).pw_gid)


def is_staff(name: str) -> bool:
    """Whether a Unix account belongs to the course's staff."""
    return in_group(name, STAFF)


def is_member(name: str) -> bool:
    """Whether somebody is in the course; not, when the account is gone."""
    try:
        return is_staff(name) or in_group(name, STUDENTS)
    except KeyError:
        return False


def environment(role: str) -> dict[str, str]:
    """What a server needs to find its environment and the settings of its role."""
    folder = "student" if role == "student" else "staff"
    return {
        "PATH": f"{PREFIX / folder / 'bin'}:{PATH}",
        "JUPYTER_CONFIG_PATH": str(PREFIX / "etc" / role),
    }


class CourseAuthenticator(PAMAuthenticator):
    """Unix passwords; who is in the staff's Unix group may use formgrader."""

    @default("manage_groups")
    def _manage_groups(self):
        return True

    async def authenticate(self, handler, data):
        name = await super().authenticate(handler, data)
        if name and not is_member(name):
            # The login page would say that the password is wrong.
            raise HTTPError(403, f"{name} is not in the course: ask its staff.")
        return name and self._with_groups(name)

    async def refresh_user(self, user, handler=None, **kwargs):
        return is_member(user.name) and self._with_groups(user.name)

    def _with_groups(self, name):
        return {"name": name, "groups": [GRADERS if is_staff(name) else LEARNERS]}


class CourseSpawner(LocalProcessSpawner):
    """A server in the environment of its user's role; the files it makes are private."""

    async def start(self):
        if not Path(pwd.getpwnam(self.user.name).pw_dir).is_dir():
            sentence = f"{self.user.name} has no home on this server: ask the course's staff."
            raise SpawnException(sentence, reason="home")
        role = "ta" if is_staff(self.user.name) else "student"
        self.environment = environment(role)
        folder = "student" if role == "student" else "staff"
        self.cmd = [str(PREFIX / folder / "bin" / "jupyterhub-singleuser")]
        return await super().start()

    def make_preexec_fn(self, name):
        become = super().make_preexec_fn(name)

        def preexec():
            become()
            os.umask(0o077)

        return preexec


def in_use(url: str) -> bool:
    """Whether somebody listens at an address of this machine already."""
    address = urlsplit(url)
    family = socket.AF_INET6 if ":" in (address.hostname or "") else socket.AF_INET
    port = address.port or {"http": 80, "https": 443}[address.scheme]
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.hostname or "", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


c.JupyterHub.bind_url = os.environ.get("HUB_URL", "http://127.0.0.1:8000")
c.JupyterHub.hub_port = 8081
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:8001"
c.JupyterHub.db_url = f"sqlite:///{PREFIX / 'hub' / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(PREFIX / "hub" / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(PREFIX / "hub" / "proxy.pid")
c.ConfigurableHTTPProxy.command = [
    str(PREFIX / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy")
]

c.JupyterHub.authenticator_class = CourseAuthenticator
c.LocalAuthenticator.allowed_groups = {STUDENTS, STAFF}

c.JupyterHub.spawner_class = CourseSpawner
c.Spawner.default_url = "/lab"
c.Spawner.notebook_dir = "~"
c.Spawner.start_timeout = c.Spawner.http_timeout = 120

# A newcomer sees JupyterLab's launcher next, which has no word of the course.
TITLE = tomllib.loads((PREFIX / "project" / "course.toml").read_text("utf-8"))["course"]["title"]
c.JupyterHub.template_vars = {
    "announcement_login": f"<b>{TITLE}</b><br>"
    "You find your assignments in the menu <i>Nbgrader &gt; Assignment List</i>.",
}

# Formgrader and the course's page: one server under the course's own account, for the staff.
PAGE_URL = "http://127.0.0.1:8010"
c.JupyterHub.services = [
    {
        "name": COURSE,
        "url": PAGE_URL,
        "user": ACCOUNT,
        "cwd": str(PREFIX / "course"),
        "command": [
            str(PREFIX / "staff" / "bin" / "jupyterhub-singleuser"),
            f"--ServerApp.root_dir={PREFIX / 'course'}",
        ],
        "environment": {
            **environment("course"),
            "COURSE_DIR": str(PREFIX / "course"),
            "JUPYTERHUB_DEFAULT_URL": "/course",
        },
        "oauth_no_confirm": True,
        "timeout": 300,
    }
]
c.JupyterHub.load_roles = [
    {
        "name": "formgrader",
        "groups": [GRADERS],
        "scopes": [
            f"access:services!service={COURSE}",
            f"read:services!service={COURSE}",
            f"list:services!service={COURSE}",
        ],
    },
    # nbgrader's course list asks, with its server's token, which courses its user may grade.
    {
        "name": "server",
        "scopes": [
            "users:activity!user",
            "access:servers!server",
            "read:users:groups!user",
            "read:users:name!user",
            f"read:services!service={COURSE}",
            f"list:services!service={COURSE}",
        ],
    },
]

if (site := PREFIX / "hub" / "site.py").is_file():
    load_subconfig(str(site))

# Each with where it is set.
needed = {
    c.JupyterHub.bind_url: "c.JupyterHub.bind_url in hub/site.py",
    c.ConfigurableHTTPProxy.api_url: "c.ConfigurableHTTPProxy.api_url in hub/site.py",
    f"http://127.0.0.1:{c.JupyterHub.hub_port}": "c.JupyterHub.hub_port in hub/site.py",
    PAGE_URL: "PAGE_URL in hub/jupyterhub_config.py of the clone",
}
for url, setting in needed.items():
    if in_use(url):
        taken = f"Another program listens at {url}"
        sys.exit(f"{taken}. End it (`ss -ltnp` shows which), or change {setting}.")
