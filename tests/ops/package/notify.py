#!/usr/bin/env python3
"""notify.py UNIT MODE [--root DIR] [--watchdog SECONDS]: run a unit's service as systemd would, and say what it told.

A stand-in for the service manager where none runs: it takes ExecStart, Environment and EnvironmentFile from the unit
itself, gives the service NOTIFY_SOCKET and WATCHDOG_USEC (sd_notify(3), sd_watchdog_enabled(3)), makes the state
directory, and drops to the unit's user. MODE is `serve` (READY=1, two WATCHDOG=1, a reload, SIGTERM, STOPPING=1, exit
status 0), `stuck` (stopped with SIGSTOP, no WATCHDOG=1 comes in three periods) or `refuse` (no READY=1; an exit status
that RestartPreventExitStatus names). Exit 0: it was so. One line for each thing that was seen.
"""
import argparse
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time


def read_unit(path):
    unit = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            match = re.match(r"^([A-Za-z]+)=(.*)$", line.strip())
            if match:
                unit.setdefault(match[1], []).append(match[2])
    return unit


def environment(unit, root):
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    for value in unit.get("Environment", []):
        env.update(word.split("=", 1) for word in shlex.split(value))
    for name in unit.get("EnvironmentFile", []):
        path = root + name.lstrip("-")
        if not os.path.exists(path):
            if not name.startswith("-"):
                sys.exit(f"not there: {path}")
            continue
        with open(path, encoding="utf-8") as file:
            env.update(line.strip().split("=", 1) for line in file if re.match(r"^[A-Z_]+=", line))
    return env


class Manager:
    def __init__(self, unit, args):
        self.unit, self.root = unit, args.root
        self.period = args.watchdog
        self.folder = tempfile.mkdtemp(prefix="notify.", dir=args.root + "/tmp")
        os.chmod(self.folder, 0o755)
        self.path = self.folder + "/socket"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self.told = []

    def start(self, extra):
        command = shlex.split(self.unit["ExecStart"][0]) + extra
        env = environment(self.unit, self.root)
        env["NOTIFY_SOCKET"] = self.path[len(self.root):]
        env["WATCHDOG_USEC"] = str(int(self.period * 1e6))
        user = self.unit["User"][0]
        enter = ["chroot", self.root or "/"]
        state = self.unit["StateDirectory"][0]
        subprocess.run(enter + ["install", "-d", "-m", self.unit["StateDirectoryMode"][0], "-o", user, "-g", user,
                                "/var/lib/" + state], check=True)
        self.log = open(self.folder + "/log", "wb+")
        self.service = subprocess.Popen(["chroot", f"--userspec={user}:{user}", self.root or "/"] + command, env=env,
                                        stdout=self.log, stderr=subprocess.STDOUT)

    def wait(self, what, seconds):
        """Until a datagram has the line `what`; what came is kept."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(min(left, 0.2))
            try:
                lines = self.socket.recv(65536).decode().split("\n")
            except TimeoutError:
                if self.service.poll() is not None:
                    return False
                continue
            self.told += lines
            if what in lines:
                return True
        return False

    def drain(self):
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(65536)
        except BlockingIOError:
            pass

    def output(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def end(self):
        if self.service.poll() is None:
            self.service.kill()
            self.service.wait()
        self.socket.close()


def must(manager, good, what):
    print(("" if good else "NOT ") + what)
    if not good:
        print("told:", manager.told, "\n" + manager.output())
        sys.exit(1)


def serve(manager):
    must(manager, manager.wait("READY=1", 30), "READY=1")
    for count in ("a first", "a second"):
        must(manager, manager.wait("WATCHDOG=1", 2 * manager.period), f"{count} WATCHDOG=1 within its period")
    must(manager, any(line.startswith("STATUS=") for line in manager.told), "a STATUS")
    if "ExecReload" in manager.unit:
        manager.service.send_signal(signal.SIGHUP)
        must(manager, manager.wait("RELOADING=1", 5) and manager.wait("READY=1", 5), "RELOADING=1, then READY=1")
    manager.service.send_signal(getattr(signal, manager.unit["KillSignal"][0]))
    must(manager, manager.wait("STOPPING=1", 5), "STOPPING=1")
    limit = int(manager.unit["TimeoutStopSec"][0])
    must(manager, manager.service.wait(limit) == 0, f"exit status 0 within TimeoutStopSec={limit}")


def stuck(manager):
    must(manager, manager.wait("READY=1", 30), "READY=1")
    manager.service.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    manager.drain()
    must(manager, not manager.wait("WATCHDOG=1", 3 * manager.period), "no WATCHDOG=1 from a process that stands still")


def refuse(manager):
    must(manager, not manager.wait("READY=1", 10), "no READY=1")
    status = manager.service.wait(10)
    must(manager, str(status) in manager.unit["RestartPreventExitStatus"][0].split(),
         f"exit status {status} is one that is not started again")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("unit")
    parser.add_argument("mode", choices=["serve", "stuck", "refuse"])
    parser.add_argument("--root", default="")
    parser.add_argument("--watchdog", type=float, default=2.0)
    parser.add_argument("flags", nargs="*")
    args = parser.parse_args()
    manager = Manager(read_unit(args.root + args.unit), args)
    try:
        manager.start(args.flags)
        {"serve": serve, "stuck": stuck, "refuse": refuse}[args.mode](manager)
    finally:
        manager.end()


main()
