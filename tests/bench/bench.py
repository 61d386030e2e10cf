"""Benchmarks of the real service against yardsticks, in one run on one broker.

pipeline   decisions/s and CPU per decision beside a transactional pass-through that does no work
latency    end-to-end p50/p99 at a fixed rate beside a transactional echo
takeover   kill -9 of a process with a stable name, restart, first verdict of its partitions
memory     resident memory with a backlog of a million requests on 64 partitions

No test fails on what is printed here: a shared machine is too noisy for that.
"""
import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PORT, HTTP = 19700, 19790
POLICY = os.path.join(ROOT, "policies/compat/example_policy.json")
TOPICS = ("verdicts", "ledger", "dead-letters")


def say(*words):
    print(*words, flush=True)


class Broker:
    """A Kafka of our own, capped, removed at the end."""

    def __init__(self, where, retention_mib=1024):
        self.where = where
        shutil.rmtree(where, ignore_errors=True)
        os.makedirs(where)
        env = dict(os.environ, KAFKA_HEAP="700m", KAFKA_SETTINGS="\n".join((
            f"log.retention.bytes={retention_mib << 20}",
            "log.retention.check.interval.ms=5000",
            "log.segment.bytes=67108864")))
        subprocess.run([f"{ROOT}/tests/kafka/up", where, str(PORT)], env=env, check=True,
                       stdout=subprocess.DEVNULL)
        self.bootstrap = f"127.0.0.1:{PORT}"

    def topic(self, name, partitions):
        subprocess.run([f"{ROOT}/tests/kafka/tool", "topics", "--bootstrap-server", self.bootstrap,
                        "--create", "--if-not-exists", "--topic", name, "--partitions",
                        str(partitions)], check=True, stdout=subprocess.DEVNULL)

    def bytes_per_record(self, topic, records):
        total = 0
        data = f"{self.where}/1/data"
        for folder in os.listdir(data):
            if re.fullmatch(re.escape(topic) + r"-\d+", folder):
                total += sum(os.path.getsize(f"{data}/{folder}/{f}")
                             for f in os.listdir(f"{data}/{folder}") if f.endswith(".log"))
        return round(total / records)

    def stop(self):
        subprocess.run([f"{ROOT}/tests/kafka/down", self.where], check=False)
        shutil.rmtree(self.where, ignore_errors=True)


class Service:
    """One lexecon-consumer process."""

    def __init__(self, build, broker, work, name="bench", port=HTTP, cgroup=None, **options):
        self.port = port
        self.log = open(f"{work}/{name}.log", "ab")
        env = dict(os.environ, LEXECON_KAFKA_BOOTSTRAP_SERVERS=broker.bootstrap,
                   LEXECON_INSTANCE=name)
        given = {"policy": POLICY, "data-dir": f"{work}/{name}", "keys-dir": f"{work}/keys",
                 "http-port": port, "http-address": "127.0.0.1", "log-format": "json",
                 "log-level": "warning", "ledger-requirements": "off", "create-topics": "true",
                 "mirror-scope": "off", "server-workers": 1}
        given.update({k.replace("_", "-"): v for k, v in options.items()})
        command = [f"{build}/bin/lexecon-consumer"]
        for key, value in given.items():
            command += [f"--{key}={value}"]
        if cgroup:  # before the program starts, since it reads its limit then
            command = ["sh", "-c", f'echo $$ >{cgroup}/cgroup.procs && exec "$@"', "sh", *command]
        self.process = subprocess.Popen(command, env=env, stdout=self.log, stderr=self.log)

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def sample(self):
        """Requests answered, CPU seconds; zeros before the port is open."""
        if self.process.poll() is not None:
            sys.exit(f"bench: the service ended, see {self.log.name}")
        try:
            text = self.metrics()
        except OSError:
            return 0, 0.0
        done = re.search(r"^lexecon_requests_consumed_total (\d+)", text, re.M)
        cpu = re.search(r"^process_cpu_seconds_total ([\d.e+]+)", text, re.M)
        return int(done[1]), float(cpu[1])

    def drain(self, count, deadline_s=300):
        """Wait until `count` are answered: (per second, CPU us each), from the first seen on."""
        until = time.monotonic() + deadline_s
        first = None
        while time.monotonic() < until:
            done, cpu = self.sample()
            now = time.monotonic()
            if done and first is None:
                first = (now, done, cpu)
            if done >= count:
                begin, before, cpu_before = first
                if done == before:
                    sys.exit("bench: too few requests to time")
                return (done - before) / (now - begin), (cpu - cpu_before) * 1e6 / (done - before)
            time.sleep(0.05)
        sys.exit(f"bench: not drained in {deadline_s} s, see {self.log.name}")

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(timeout=60)
        self.log.close()


def load(build, broker, **options):
    command = [f"{build}/bin/lex_load", "--bootstrap", broker.bootstrap]
    for key, value in options.items():
        command += [f"--{key}", str(value)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def passthrough(build, broker, **options):
    command = [f"{build}/bin/lex_passthrough", "--bootstrap", broker.bootstrap]
    for key, value in options.items():
        command += [f"--{key.replace('_', '-')}", str(value)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    result = json.loads(answer.stdout)
    return result["per_second"], result["cpu_us"]


def median(rows):
    return tuple(statistics.median(column) for column in zip(*rows))


# ---- pipeline ----

def service_run(args, broker, work, tag, source, count, **options):
    service = Service(args.build, broker, work, name=tag, group=f"g-{tag}", requests_topic=source,
                      verdicts_topic=f"verdicts-{tag}", ledger_topic=f"ledger-{tag}",
                      dead_letters_topic=f"dead-{tag}", commit_interval_ms=50,
                      create_topics_partitions=8, **options)
    try:
        return service.drain(count)
    finally:
        service.stop()


def pipeline_format(args, broker, work, kind):
    source, count = f"requests-{kind}", args.count
    broker.topic(source, 8)
    load(args.build, broker, topic=source, count=count, format=kind)
    sizes, ours, yard = None, [], []
    for turn in range(args.runs):
        tag = f"{kind}{turn}"
        ours.append(service_run(args, broker, work, tag, source, count))
        if sizes is None:
            sizes = (broker.bytes_per_record(f"verdicts-{tag}", count),
                     broker.bytes_per_record(f"ledger-{tag}", count))
        yard.append(passthrough(args.build, broker, **{"in": source}, out=f"verdicts-{kind}0",
                                out2=f"ledger-{kind}0", group=f"p-{tag}", count=count,
                                verdict_bytes=sizes[0], entry_bytes=sizes[1], commit_ms=50))
    (rate, cpu), (base, base_cpu) = median(ours), median(yard)
    say(f"{kind:5}  verdict {sizes[0]} B, entry {sizes[1]} B, {count} requests, "
        f"median of {args.runs} alternating runs, one worker, mirror off")
    say(f"       service      {rate:9.0f} decisions/s  {cpu:6.2f} us CPU each")
    say(f"       pass-through {base:9.0f} records/s    {base_cpu:6.2f} us CPU each")
    say(f"       ratio        {rate / base:9.2f}              {cpu / base_cpu:6.2f}")
    for name, options in (("mirror on", {"mirror_scope": "all"}),
                          ("two workers", {"server_workers": 2})):
        tag = f"{kind}-{name.replace(' ', '')}"
        rate, cpu = service_run(args, broker, work, tag, source, count, **options)
        say(f"       {name:12} {rate:9.0f} decisions/s  {cpu:6.2f} us CPU each  "
            f"ratio {rate / base:.2f} (one run)")


def pipeline(args, broker, work):
    for topic in ("requests-warm", "warm1", "warm2"):
        broker.topic(topic, 8)
    load(args.build, broker, topic="requests-warm", count=args.count, format="json")
    begin, turn = time.monotonic(), 0
    while time.monotonic() - begin < 10:  # a cold broker takes 5 to 10 times the CPU
        passthrough(args.build, broker, **{"in": "requests-warm"}, out="warm1", out2="warm2",
                    group=f"warm-{turn}", count=args.count)
        turn += 1
    for kind in args.format:
        pipeline_format(args, broker, work, kind)


# ---- latency ----

def latency_of(args, broker, name, topic_in, topic_out):
    command = [f"{args.build}/bin/lex_latency", "--bootstrap", broker.bootstrap, "--in", topic_in,
               "--out", topic_out, "--rate", str(args.rate), "--seconds", str(args.seconds)]
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    say(f"{name:10} p50 {result['p50_ms']:7.2f} ms   p99 {result['p99_ms']:7.2f} ms   "
        f"p99.9 {result['p999_ms']:7.2f} ms   {result['answers']} of {result['sent']} answered")
    return result


def echo(args, broker):
    total = args.rate * (args.seconds + 4) * 4
    return subprocess.Popen([f"{args.build}/bin/lex_passthrough", "--bootstrap", broker.bootstrap,
                             "--in", "echo-in", "--out", "echo-out", "--out2", "echo-out",
                             "--group", "echo", "--count", str(total), "--echo"],
                            stdout=subprocess.DEVNULL)


def latency(args, broker, work):
    for topic in ("echo-in", "echo-out", "lexecon.requests"):
        broker.topic(topic, 8)
    service, other = Service(args.build, broker, work), echo(args, broker)
    ratios = []
    try:
        time.sleep(5)
        say(f"one request at a time, {args.rate}/s for {args.seconds} s, JSON, "
            f"{args.runs} alternating runs after a warm-up")
        for turn in range(args.runs + 1):
            ours = latency_of(args, broker, "service", "lexecon.requests", "lexecon.verdicts")
            yard = latency_of(args, broker, "echo", "echo-in", "echo-out")
            if turn:
                ratios.append((ours["p50_ms"] / yard["p50_ms"], ours["p99_ms"] / yard["p99_ms"]))
    finally:
        service.stop()
        other.kill()
        other.wait()
    p50, p99 = median(ratios)
    say(f"ratio      p50 {p50:.2f}   p99 {p99:.2f}   (service / echo, median of {args.runs})")


# ---- takeover ----

def takeover(args, broker, work):
    broker.topic("lexecon.requests", 8)
    service = Service(args.build, broker, work)
    feeder = subprocess.Popen([f"{args.build}/bin/lex_load", "--bootstrap", broker.bootstrap,
                               "--count", "60000", "--rate", "1000"], stdout=subprocess.DEVNULL)
    times = []
    try:
        while service.sample()[0] < 3000:
            time.sleep(0.1)
        for turn in range(args.runs):
            service.stop(signal.SIGKILL)
            begin = time.monotonic()
            service = Service(args.build, broker, work)
            while service.sample()[0] == 0:
                time.sleep(0.01)
            times.append(time.monotonic() - begin)
            say(f"kill -9 and restart {turn + 1}: first verdicts after {times[-1]:.2f} s")
            time.sleep(2)
    finally:
        feeder.kill()
        feeder.wait()
        service.stop()
    say(f"median {statistics.median(times):.2f} s from the kill to the first committed verdict, "
        "process start included")


# ---- memory ----

def memory(args, broker, work):
    """With default settings in a cgroup of 512 MiB where one can be made, else watched from outside."""
    broker.topic("lexecon.requests", 64)
    load(args.build, broker, count=args.backlog, partitions=64, format="mixed")
    limit = cgroup(512 << 20)
    service = Service(args.build, broker, work, cgroup=limit, create_topics_partitions=64,
                      server_workers=0, mirror_scope="owned", memory_budget_mb=0)
    peak = 0
    try:
        while service.sample()[0] < args.backlog:
            with open(f"/proc/{service.process.pid}/status", encoding="ascii") as status:
                peak = max(peak, int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]))
            time.sleep(0.2)
    finally:
        service.stop()
        if limit:
            os.rmdir(limit)
    say(f"{args.backlog} requests on 64 partitions, default settings: peak resident "
        f"{peak / 1024:.0f} MiB of 512 MiB"
        f"{' (limit enforced)' if limit else ' (the default budget; no cgroup could be made here to enforce the limit)'}")


def cgroup(limit):
    """A memory cgroup of our own (v2 or v1); None where none can be made."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        path, knob = "/sys/fs/cgroup/lexecon-bench", "memory.max"
    else:
        path, knob = "/sys/fs/cgroup/memory/lexecon-bench", "memory.limit_in_bytes"
    try:
        os.makedirs(path, exist_ok=True)
        if not os.path.exists(f"{path}/{knob}"):
            os.rmdir(path)
            return None
        with open(f"{path}/{knob}", "w", encoding="ascii") as file:
            file.write(str(limit))
        return path
    except OSError:
        return None


MEASUREMENTS = {"pipeline": pipeline, "latency": latency, "takeover": takeover, "memory": memory}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=[*MEASUREMENTS, "help"])
    parser.add_argument("--build", default="build", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=300000, help="requests of a pipeline run")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs (default 5)")
    parser.add_argument("--format", nargs="+", default=["avro", "json"], help="pipeline: which")
    parser.add_argument("--rate", type=int, default=500, help="latency: requests/s")
    parser.add_argument("--seconds", type=int, default=10, help="latency: length of a run")
    parser.add_argument("--backlog", type=int, default=1000000, help="memory: requests waiting")
    args = parser.parse_args()
    if args.name == "help":
        parser.print_help()
        return
    args.build = os.path.abspath(args.build)
    work = f"{args.build}/bench"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    broker = Broker(f"{work}/kafka")
    try:
        MEASUREMENTS[args.name](args, broker, work)
    finally:
        broker.stop()


if __name__ == "__main__":
    main()
