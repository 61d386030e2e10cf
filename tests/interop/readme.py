"""readme.py check|write: keep README.md, and a table of docs/simulator.md, true.

check   run the commands of the README on the programs in $LEX_BUILD and compare what they print
write   copy the excerpts of docs/clients into the README again

A block of the README is checked by the comment before it:
    <!-- console: demo -->        `./dev run --once`
    <!-- console: tour -->        commands of the second terminal, beside a service that runs
    <!-- console: own -->         commands about one's own Kafka that need none
    <!-- request -->              a request that the example policy approves
    <!-- verdict -->              the verdict for it, shortened
    <!-- excerpt: FILE: LINE -->  that file's function that begins with this line
Output is compared in its shape: addresses, times, hashes, ids and positions may differ, words may not. A
line "..." stands for any lines.
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("LEX_BUILD", "build"))
BIN = os.path.join(BUILD, "bin")
README = os.path.join(ROOT, "README.md")
BLOCK = re.compile(r"^<!-- (.+?) -->\n+```\w*\n(.*?)^```$", re.S | re.M)
DECIDE = ["--policy", "policies/compat/example_policy.json"]

failed = False


def say(good, name, *details):
    global failed
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good:
        failed = True
        for detail in details:
            for line in str(detail).splitlines() or [""]:
                print(f"# {line}")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def blocks(kind, text):
    return [body for mark, body in BLOCK.findall(text) if mark == kind]


# ---- excerpts -----------------------------------------------------------------------------


def function_of(path, first):
    """The lines from `first` to the end of what it begins: a function, in Python or TypeScript."""
    lines = read(path).splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith(first)), None)
    if start is None:
        return None
    end = start + 1
    while end < len(lines) and (not lines[end] or lines[end][0] in " }"):
        end += 1
        if lines[end - 1] == "}":
            break
    return "\n".join(lines[start:end]).rstrip() + "\n"


def excerpt(mark):
    path, first = mark.split(": ", 2)[1:]
    return path, first, function_of(path, first)


def check_excerpts(text):
    found = [(mark, body) for mark, body in BLOCK.findall(text) if mark.startswith("excerpt: ")]
    for language in ("python", "typescript"):
        say(any(f"clients/{language}/" in mark for mark, _ in found), f"README has a snippet in {language}")
    for mark, body in found:
        path, first, source = excerpt(mark)
        say(body == source, f"README's excerpt of {path} ({first}) is what stands there",
            "python3 tests/interop/readme.py write")


def write_excerpts(text):
    def renew(match):
        if not match.group(1).startswith("excerpt: "):
            return match.group(0)
        source = excerpt(match.group(1))[2]
        if source is None:
            sys.exit(f"{match.group(1)}: there is no such line")
        return match.group(0)[:match.start(2) - match.start()] + source + "```"
    with open(README, "w", encoding="utf-8") as file:
        file.write(BLOCK.sub(renew, text))


# ---- shapes -------------------------------------------------------------------------------

SHAPES = [
    (r"(127\.0\.0\.1|localhost):\d+", "ADDRESS"),
    (r"\S*/lexecon-demo\.\w+", "DATA"),
    (r"\breq_[0-9A-Z]{26}\b", "REQUEST"),
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"\bledger/\d+", "ledger/P"),
    (r"\b\d+/\d+\b", "P/S"),
    (r"\bentry \d+ of\b", "entry N of"),
    (r"\b\d+ entries, 0 to \d+\b", "N entries"),
    (r"^(kafka_offset|seq) +\d+$", r"\1 N"),
    (r"\} \d+$", "} N"),
    (r" +", " "),
]


def shape(text):
    lines = []
    for line in text.rstrip("\n").split("\n"):
        for pattern, word in SHAPES:
            line = re.sub(pattern, word, line)
        lines.append(line.rstrip())
    return lines


def alike(expected, got):
    """Whether the lines are those that are expected; "..." is any number of them."""
    if not expected:
        return not got
    if expected[0] == "...":
        return any(alike(expected[1:], got[at:]) for at in range(len(got) + 1))
    return bool(got) and expected[0] == got[0] and alike(expected[1:], got[1:])


def commands(body):
    """[(command, expected output)] of a console block."""
    found = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], ""])
        else:
            found[-1][1] += line + "\n"
    return found


def sh(command, env, timeout=120):
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=env, timeout=timeout, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout, done.returncode


def clean_env():
    return {name: value for name, value in os.environ.items() if not name.startswith("LEXECON_")}


def play(bodies, env, replace):
    """Run a terminal's commands in turn; what is exported stays."""
    before = ""
    for body in bodies:
        for command, expected in commands(body):
            told = command
            for pattern, word in replace:
                command = re.sub(pattern, lambda _, word=word: word, command)
            if command.startswith("export "):
                before += command + "\n"
                continue
            if "verify.py" in command and subprocess.run([sys.executable, "-c", "import cryptography"],
                                                         stderr=subprocess.DEVNULL).returncode:
                print(f"ok - README: {told} # SKIP it takes Python's cryptography")
                continue
            got, _ = sh(before + command, env)
            say(alike(shape(expected) if expected else [], shape(got) if got else []),
                f"README: {told}", "expected:", expected, "got:", got)


# ---- the parts ----------------------------------------------------------------------------


def check_demo(text):
    body = "".join(blocks("console: demo", text))
    for command, expected in commands(body):
        own = os.path.realpath(BUILD) == os.path.realpath(os.path.join(ROOT, "build"))
        run = command if own else command.replace("./dev run", "scripts/run-demo")
        got, status = sh(run + " 2>/dev/null", dict(clean_env(), LEX_BUILD=BUILD), 900)
        say(status == 0 and alike(shape(expected), shape(got)), f"README: {command}",
            f"status {status}, expected:", expected, "got:", got)


class Demo:
    """`./dev run` in the first terminal."""

    def __enter__(self):
        self.output = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(["scripts/run-demo"], cwd=ROOT, env=dict(clean_env(), LEX_BUILD=BUILD),
                                        stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output)
        until = time.monotonic() + 120
        while time.monotonic() < until and self.process.poll() is None and "Ctrl-C" not in self.text():
            time.sleep(0.1)
        return self

    def text(self):
        self.output.seek(0)
        return self.output.read()

    def find(self, pattern):
        found = re.search(pattern, self.text())
        return found[1] if found else "nowhere"

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        say(status == 0 and self.text().rstrip().endswith("Stopped."), "the demo stops cleanly when asked",
            f"status {status}", self.text())


def wait_for_mirror(data, env):
    """The tour is walked by people; a test is quicker than the mirror's first second."""
    verify = f"lexecon ledger verify --mirror {data}/mirror.db.embedded --pins {data}/pins.json"
    until = time.monotonic() + 60
    while sh(verify, env)[0].count("the chain holds") < 8 and time.monotonic() < until:
        time.sleep(0.2)


def check_verdict(text, demo, env):
    """README's request gets README's verdict: the same members, of the same types, and the same words."""
    request, shown = blocks("request", text)[0], json.loads(blocks("verdict", text)[0])
    broker, data = demo.find(r"broker at (\S+),"), demo.find(r"--pins (\S+)/pins\.json")
    decided, _ = sh(f"printf '%s\\n' '{request.replace(chr(10), ' ')}' | lexecon decide {' '.join(DECIDE)}", env)
    say('"outcome":"approved"' in decided, "README's request is one, and approved", decided)
    path = os.path.join(data, "readme.jsonl")
    with open(path + ".request", "w", encoding="utf-8") as file:
        file.write(request.replace("\n", " ") + "\n")
    got, status = sh(f"lexecon submit --bootstrap {broker} --pins {data}/pins.json --file {path}.request "
                     f"--save {path}", env)
    say(status == 0, "README's request is answered by the service", got)
    try:
        verdict = json.loads(read(path))
    except (OSError, ValueError) as error:
        say(False, "README's request gets a verdict", error)
        return
    say(all(type(shown[name]) is type(verdict.get(name)) for name in shown) and
        all(verdict[name] == shown[name] for name in shown if name not in ("log", "entry", "attestation")) and
        set(shown["attestation"]) == set(verdict["attestation"]),
        "README's verdict is what the service answers", json.dumps(verdict, indent=1))


def check_tour(text):
    env = dict(clean_env(), PATH=BIN + os.pathsep + os.environ["PATH"])
    with Demo() as demo:
        data, http = demo.find(r"--pins (\S+)/pins\.json"), demo.find(r"http://(\S+)/health")
        wait_for_mirror(data, env)
        play(blocks("console: tour", text), env, [
            (r"\$PWD/build/bin", BIN), (r"/tmp/lexecon-demo\.\w+", data), (r"localhost:8000", http),
            (r"BROKER=\S+", "BROKER=" + demo.find(r"broker at (\S+),"))])
        check_verdict(text, demo, env)


def check_own(text):
    env = dict(clean_env(), PATH=BIN + os.pathsep + os.environ["PATH"])
    with tempfile.TemporaryDirectory() as where:
        bodies = [re.sub(r"^(/etc/lexecon)", where, body, flags=re.M) for body in blocks("console: own", text)]
        play(bodies, env, [("/etc/lexecon", where), ("> pins.json", f"> {where}/pins.json")])
        say(os.path.exists(f"{where}/pins.json") and json.loads(read(f"{where}/pins.json"))["origin_prefix"] ==
            "example.com/production", "README's pin file has the prefix that was set")


def check_plants():
    listed = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", read("docs/simulator.md"), re.M))
    table = dict(re.findall(r'^LEX_PLANT\((\w+), "(.+)"\)$', read("core/worker/plants.def"), re.M))
    say(table and listed == table, "docs/simulator.md lists every planted bug as its table has it",
        set(table.items()) ^ set(listed.items()))


def check_itself():
    """What must be noticed: another word, a missing line, a line too many."""
    said = ["A P/S", "...", "end"]
    say(alike(said, shape("A 1/2\nx\nend")) and not alike(said, shape("A 1/2\nx")) and
        not alike(said, shape("B 1/2\nend")) and not alike(["a"], ["a", "b"]),
        "a shape that differs is noticed")


def main(what):
    text = read("README.md")
    if what == "write":
        write_excerpts(text)
        return 0
    check_itself()
    check_excerpts(text)
    check_plants()
    check_own(text)
    check_demo(text)
    check_tour(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else "check"))
