"""kafka_files.py check|write: what is said about topics and rights elsewhere agrees with the program's tables.

`write` puts the generated parts into docs/kafka.md; `check` prints TAP lines. LEX_BUILD is the build.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("LEX_BUILD", "build"))
PROGRAM = os.path.join(BUILD, "bin", "lexecon")
PAGE = os.path.join(ROOT, "docs", "kafka.md")
BLOCK = re.compile(r"(<!-- made by: (.+?) -->\n)(.*?)(<!-- end -->)", re.S)
GENERATED = ["strimzi/kafka-topics.yaml", "strimzi/kafka-users.yaml", "acls.sh"]
failed = False


def say(true, name, *why):
    global failed
    print(("ok - " if true else "not ok - ") + name)
    if not true:
        failed = True
        for line in why:
            print("#", str(line).replace("\n", "\n# "))


def run(arguments):
    done = subprocess.run([PROGRAM, *arguments.split()], env={}, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def made(arguments):
    text = run(arguments)
    if arguments != "doctor --list":
        return text
    rows = [line.split(None, 1) for line in text.splitlines()]
    return "| step | what is tried |\n|---|---|\n" + "".join(f"| `{step}` | {tries} |\n" for step, tries in rows)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def rewritten(text):
    return BLOCK.sub(lambda found: found[1] + made(found[2]) + found[4], text)


def check_page():
    text = read(PAGE)
    say(len(BLOCK.findall(text)) == 3, "docs/kafka.md has its three generated parts")
    say(rewritten(text) == text, "docs/kafka.md says of topics, rights and steps what the program says",
        "run: python3 tests/interop/kafka_files.py write")
    right = "| service | topic lexecon.requests | Read |"
    planted = text.replace(right, right.replace("Read", "Write"))
    say(planted != text and rewritten(planted) != planted, "a right that differs would be noticed")


def check_files():
    with tempfile.TemporaryDirectory() as where:
        subprocess.run([os.path.join(ROOT, "deployment/kafka/make"), where], check=True,
                       env=dict(os.environ, LEX_BUILD=BUILD))
        for name in GENERATED:
            same = read(os.path.join(where, name)) == read(os.path.join(ROOT, "deployment/kafka", name))
            say(same, f"deployment/kafka/{name} is what deployment/kafka/make makes", "run: deployment/kafka/make "
                "deployment/kafka")


def check_agreement():
    """The same rights, whatever the format; the same topics."""
    everything = "acls --with policy-topic --with large-policies "
    rights = [json.loads(line) for line in run(everything + "--format json").splitlines()]
    script = run(everything + "--format kafka-acls")
    strimzi = run(everything + "--format strimzi")
    say(len(rights) > 25 and script.count("--operation ") == len(rights), "the script grants each right once")
    say(len(re.findall(r"^          - ", strimzi, re.M)) == len(rights), "the KafkaUsers have each right once")
    topics = {topic["topic"] for topic in json.loads(run("topics plan --format json"))["topics"]}
    say(topics == set(re.findall(r"^  topicName: (\S+)", run("topics plan --format strimzi"), re.M)),
        "the KafkaTopics are those of the plan")
    say({right["name"] for right in rights if right["resource"] == "topic"} == topics,
        "every topic has rights, and every right on a topic has one")


def main(what):
    if what == "write":
        text = rewritten(read(PAGE))
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(text)
        return 0
    check_page()
    check_files()
    check_agreement()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else "check"))
