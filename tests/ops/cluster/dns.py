#!/usr/bin/env python3
"""dns.py ADDRESS: names of Services for the pods of kube-up's node, on port 53 of ADDRESS, UDP.

What a cluster's DNS does and no more: NAME.NAMESPACE.svc.cluster.local is the Service's address, asked of the API server each
time; any other name does not exist. Messages: RFC 1035.
"""
import json
import socket
import struct
import subprocess
import sys

ZONE = ".svc.cluster.local"
NAME_ERROR, IS_ANSWER = 3, 0x8180
A, INTERNET = 1, 1


def address(name):
    """The Service's address as four bytes, or None."""
    if not name.endswith(ZONE) or name.count(".") != ZONE.count(".") + 1:
        return None
    service, namespace = name[: -len(ZONE)].split(".")
    found = subprocess.run(["kubectl", "get", "service", service, "-n", namespace, "-o", "json"], capture_output=True, check=False)
    return socket.inet_aton(json.loads(found.stdout)["spec"]["clusterIP"]) if found.returncode == 0 else None


def question(message):
    """(name, type, end of the question)"""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1: at + 1 + message[at]].decode("ascii"))
        at += 1 + message[at]
    return ".".join(labels).lower(), struct.unpack_from(">H", message, at + 1)[0], at + 5


def answer(message):
    name, kind, end = question(message)
    found = address(name)
    record = b""
    if found and kind == A:
        record = struct.pack(">HHHIH", 0xC00C, A, INTERNET, 1, 4) + found  # C00C: the question's name
    flags = IS_ANSWER | (0 if found else NAME_ERROR)
    return message[:2] + struct.pack(">HHHHH", flags, 1, 1 if record else 0, 0, 0) + message[12:end] + record


def main(where):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((where, 53))
    while True:
        message, client = server.recvfrom(512)
        try:
            server.sendto(answer(message), client)
        except (IndexError, struct.error, UnicodeDecodeError, ValueError) as error:
            print("dropped:", error, flush=True)


if len(sys.argv) != 2:
    sys.exit(__doc__)
main(sys.argv[1])
