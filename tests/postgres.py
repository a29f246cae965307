"""A PostgreSQL server of the tests' own, on a Unix socket, without durability."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class Postgres:
    """Runs Debian's binaries as an ordinary user (as `postgres`, where the tests are root)."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sft2rl-postgres-", dir="/tmp"))
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user, self.user)
        self._run("initdb", "--auth=trust", "--username=grader", "--no-sync", "--pgdata=data")
        self.start()

    def url(self, database: str) -> str:
        """The address of a new database."""
        self.sql(f"CREATE DATABASE {database}")
        return f"postgresql://grader@/{database}?host={self.folder}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c fsync=off -k {self.folder}"
        self._run("pg_ctl", "start", "-w", "--pgdata=data", "--log=log", "--options", options)

    def stop(self) -> None:
        """As in a power cut."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "--pgdata=data")

    def end_connections(self) -> int:
        """Cut every connection to the server; returns how many there were."""
        pids = self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return pids.count("t")

    def sql(self, command: str) -> str:
        return self._run("psql", "-qtA", "-h", str(self.folder), "-U", "grader", "-c", command,
                         "postgres")  # fmt: skip

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *options: str) -> str:
        (newest,) = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
        done = subprocess.run(
            [newest / program, *options],
            cwd=self.folder,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
