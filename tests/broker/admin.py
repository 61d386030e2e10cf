"""admin: what an operator changes on a cluster, for the tests on a real broker.

    admin.py HOST:PORT topic NAME PARTITIONS [SETTING=VALUE...]   make it
    admin.py HOST:PORT grow NAME PARTITIONS                       to so many
    admin.py HOST:PORT set NAME SETTING=VALUE...                  of a topic
    admin.py HOST:PORT get NAME SETTING                           prints the value
    admin.py HOST:PORT allow USER[,USER...] OPERATION[,...] TYPE NAME   an ACL; TYPE may be prefix-TYPE
    admin.py HOST:PORT deny USER[,USER...] OPERATION[,...] TYPE NAME    takes that ACL away again

Kafka's own tools do the same and take a JVM's start each. Message layouts: the Kafka protocol's
guide, in the last versions without tagged fields. One broker is also the controller, which
answers before the broker itself knows: settings and ACLs are waited for.
"""

import socket
import struct
import sys
import time

CREATE_TOPICS, CREATE_PARTITIONS, DESCRIBE_CONFIGS, ALTER_CONFIGS = 19, 37, 32, 44
DESCRIBE_ACLS, CREATE_ACLS, DELETE_ACLS = 29, 30, 31
TYPES = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
TOPIC, LITERAL, PREFIXED, ALLOW, SET, TIMEOUT_MS = 2, 3, 4, 3, 0, 20000


def i8(value):
    return struct.pack(">b", value)


def i16(value):
    return struct.pack(">h", value)


def i32(value):
    return struct.pack(">i", value)


def text(value):
    return i16(-1) if value is None else i16(len(value.encode())) + value.encode()


def array(items):
    return i32(len(items)) + b"".join(items)


class Answer:
    def __init__(self, data):
        self.data = data

    def take(self, layout):
        size = struct.calcsize(layout)
        head, self.data = self.data[:size], self.data[size:]
        return struct.unpack(layout, head)[0]

    def text(self):
        size = self.take(">h")
        if size < 0:
            return None
        head, self.data = self.data[:size], self.data[size:]
        return head.decode()

    def check(self):
        code, message = self.take(">h"), self.text()
        if code != 0:
            sys.exit(f"admin.py: error {code}: {message}")


def read(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            sys.exit("admin.py: the broker hangs up")
        data += more
    return data


def ask(broker, key, version, body):
    host, port = broker.rsplit(":", 1)
    request = i16(key) + i16(version) + i32(1) + text("admin.py") + body
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_MS / 1000) as connection:
        connection.sendall(i32(len(request)) + request)
        (size,) = struct.unpack(">i", read(connection, 4))
        answer = Answer(read(connection, size))
    answer.take(">i")  # which request it answers
    answer.take(">i")  # throttling
    return answer


def wait_until(true):
    until = time.monotonic() + TIMEOUT_MS / 1000
    while not true():
        if time.monotonic() > until:
            sys.exit("admin.py: the broker does not take it over")
        time.sleep(0.02)


def settings_of(args):
    return [arg.split("=", 1) for arg in args]


def topic(broker, name, partitions, *settings):
    configs = [text(key) + text(value) for key, value in settings_of(settings)]
    one = text(name) + i32(int(partitions)) + i16(1) + array([]) + array(configs)
    answer = ask(broker, CREATE_TOPICS, 2, array([one]) + i32(TIMEOUT_MS) + i8(0))
    answer.take(">i")
    answer.text()
    answer.check()


def grow(broker, name, partitions):
    one = text(name) + i32(int(partitions)) + i32(-1)
    answer = ask(broker, CREATE_PARTITIONS, 0, array([one]) + i32(TIMEOUT_MS) + i8(0))
    answer.take(">i")
    answer.text()
    answer.check()


def set_(broker, name, *settings):
    configs = [text(key) + i8(SET) + text(value) for key, value in settings_of(settings)]
    answer = ask(broker, ALTER_CONFIGS, 0, array([i8(TOPIC) + text(name) + array(configs)]) + i8(0))
    answer.take(">i")
    answer.check()
    for key, value in settings_of(settings):
        wait_until(lambda: value_of(broker, name, key) == value)


def value_of(broker, name, setting):
    one = i8(TOPIC) + text(name) + array([text(setting)])
    answer = ask(broker, DESCRIBE_CONFIGS, 1, array([one]) + i8(0))
    answer.take(">i")
    answer.check()
    answer.take(">b")
    answer.text()
    if answer.take(">i") != 1:
        sys.exit(f"admin.py: {name} has no {setting}")
    answer.text()
    return answer.text()


def get(broker, name, setting):
    print(value_of(broker, name, setting))


def acls_of(users, operations, kind, name):
    pattern = PREFIXED if kind.startswith("prefix-") else LITERAL
    return [
        i8(TYPES[kind.removeprefix("prefix-")]) + text(name) + i8(pattern) + text("User:" + user)
        + text("*") + i8(OPERATIONS[operation]) + i8(ALLOW)
        for user in users.split(",") for operation in operations.split(",")
    ]


def allow(broker, users, operations, kind, name):
    acls = acls_of(users, operations, kind, name)
    answer = ask(broker, CREATE_ACLS, 1, array(acls))
    for _ in range(answer.take(">i")):
        answer.check()
    for acl in acls:
        wait_until(lambda: exists(broker, acl))


def deny(broker, users, operations, kind, name):
    acls = acls_of(users, operations, kind, name)
    answer = ask(broker, DELETE_ACLS, 1, array(acls))
    answer.take(">i")
    answer.check()
    for acl in acls:
        wait_until(lambda: not exists(broker, acl))


def exists(broker, acl):
    answer = ask(broker, DESCRIBE_ACLS, 1, acl)
    answer.check()
    return answer.take(">i") != 0


DEEDS = {"topic": topic, "grow": grow, "set": set_, "get": get, "allow": allow, "deny": deny}

if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[2] not in DEEDS:
        sys.exit(__doc__)
    DEEDS[sys.argv[2]](sys.argv[1], *sys.argv[3:])
