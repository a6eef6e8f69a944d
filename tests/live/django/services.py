"""PostgreSQL, Redis and nginx as private instances on free loopback ports, in folders that vanish with them."""

import glob
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from processes import free_port, reachable

DEBIAN = {"initdb": "postgresql", "redis-server": "redis-server", "nginx": "nginx-light", "chromium": "chromium"}


class Missing(Exception):
    """A program that is not here, and can not be brought."""


def program(name):
    """Its path; installs Debian's package for it if that is allowed."""

    def found():
        folders = [os.environ["PATH"], "/usr/sbin", *glob.glob("/usr/lib/postgresql/*/bin")]
        return shutil.which(name, path=os.pathsep.join(folders))

    if not found() and os.geteuid() == 0 and shutil.which("apt-get"):
        # In run level 1 the package does not start a service of its own.
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        command = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", DEBIAN[name]]
        subprocess.run(command, env=quiet, capture_output=True, timeout=300)
    path = found()
    if not path:
        raise Missing(f"there is no {name} here, and Debian's package {DEBIAN[name]} can not be installed")
    return path


class Service:
    """A server process with a folder; leaving it ends both."""

    port = None

    def __enter__(self):
        self.port = self.port or free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="live-django-"))
        self.process = None
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def run(self, command):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        reachable(self.port, self.process)

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
            self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Service):
    def start(self):
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self.folder}
        given = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        self.run([program("redis-server"), *given])

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"


class PostgreSQL(Service):
    """It refuses to run as root: then Debian's user `postgres` does it. Whoever reaches the port is trusted."""

    def start(self):
        initdb = pathlib.Path(program("initdb"))
        self.drop = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
            self.drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data, quiet = self.folder / "data", {"check": True, "capture_output": True}
        subprocess.run([*self.drop, initdb, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", data], **quiet)
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder, "fsync": "off"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self.run([*self.drop, initdb.with_name("postgres"), "-D", data, "-p", str(self.port), *settings])

    def sql(self, text, database="postgres", user="postgres"):
        """What psql prints, or its complaint as an exception."""
        command = ["psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-d", self.url(database, user)]
        done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=30)
        if done.returncode:
            raise PermissionError(done.stderr.strip())
        return done.stdout.strip()

    def url(self, database, user="postgres"):
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"


class Nginx(Service):
    """With examples/django/nginx.conf, but for its ports, and without TLS."""

    def __init__(self, configuration, port, django, mcp):
        self.configuration, self.port, self.django, self.mcp = configuration, port, django, mcp

    def start(self):
        text, ours = self.configuration, self.folder / "conf"
        for old, new in (
            (r"server 127\.0\.0\.1:8000;", f"server 127.0.0.1:{self.django};"),
            (r"server 127\.0\.0\.1:9000;", f"server 127.0.0.1:{self.mcp};"),
            (r"listen 443 ssl;", f"listen 127.0.0.1:{self.port};"),
            (r"\n *ssl_certificate\b.*", ""),
            (r"\n *ssl_certificate_key\b.*", ""),
        ):
            text, times = re.subn(old, new, text)
            assert times == 1, f"nginx.conf has {old} {times} times"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        user = "user root;" if os.geteuid() == 0 else ""
        ours.write_text(f"{user} pid {self.folder}/pid; events {{}} http {{ access_log off; {temporary}\n{text}\n}}")
        self.run([program("nginx"), "-p", self.folder, "-c", ours, "-e", "stderr", "-g", "daemon off;"])
