#!/usr/bin/env python3
"""A collector of traces that can be told how to behave, for the tests of the export.

    collector.py DIRECTORY [PORT]

It listens on 127.0.0.1 and writes its port to DIRECTORY/port. The file DIRECTORY/mode says how the next call is
answered: ok, an HTTP status (`503`, or `503 2` with Retry-After: 2), `partial N`, or `slow SECONDS`. What it takes is
written to DIRECTORY/spans, one JSON object a span; every call to DIRECTORY/calls.

The decoding is written from the .proto files of opentelemetry-proto and shares nothing with the encoder.
"""
import http.server
import json
import os
import struct
import sys
import time


def fields(data):
    """Of one message: [(field number, value)], an int for a number, bytes for the rest."""
    at, found = 0, []

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            value = varint()
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            (value,) = struct.unpack("<Q" if kind == 1 else "<I", data[at:at + size])
            at += size
        elif kind == 2:
            size = varint()
            value = data[at:at + size]
            if len(value) != size:
                raise ValueError("a field goes past its message")
            at += size
        else:
            raise ValueError(f"wire type {kind}")
        found.append((tag >> 3, value))
    return found


def one(message, number, default=None):
    values = [value for field, value in message if field == number]
    if len(values) > 1:
        raise ValueError(f"field {number} stands there {len(values)} times")
    return values[0] if values else default


def many(message, number):
    return [value for field, value in message if field == number]


def any_value(data):
    ((number, value),) = fields(data)
    if number == 1:
        return value.decode("utf-8")
    if number == 3:
        return value - (1 << 64) if value >= 1 << 63 else value
    if number == 5:
        return [any_value(item) for item in many(fields(value), 1)]
    raise ValueError(f"a value of kind {number}")


def attributes(items):
    pairs = {}
    for item in items:
        pair = fields(item)
        key = one(pair, 1).decode("utf-8")
        if key in pairs:
            raise ValueError(f"the attribute {key} stands there twice")
        pairs[key] = any_value(one(pair, 2))
    return pairs


def link(data):
    message = fields(data)
    return {"trace_id": one(message, 1).hex(), "span_id": one(message, 2).hex(), "flags": one(message, 6, 0)}


def span(data, resource, scope):
    message = fields(data)
    status = fields(one(message, 15, b""))
    return {
        "trace_id": one(message, 1).hex(), "span_id": one(message, 2).hex(), "parent": one(message, 4, b"").hex(),
        "name": one(message, 5).decode("utf-8"), "kind": one(message, 6), "begin": one(message, 7), "end": one(message, 8),
        "attributes": attributes(many(message, 9)), "links": [link(item) for item in many(message, 13)],
        "dropped_links": one(message, 14, 0), "error": one(status, 2, b"").decode("utf-8"), "code": one(status, 3, 0),
        "resource": resource, "scope": scope,
    }


def spans_of(body):
    for data in many(fields(body), 1):
        resource_spans = fields(data)
        resource = attributes(many(fields(one(resource_spans, 1)), 1))
        for data_of_scope in many(resource_spans, 2):
            scope_spans = fields(data_of_scope)
            scope = one(fields(one(scope_spans, 1)), 1).decode("utf-8")
            for item in many(scope_spans, 2):
                yield span(item, resource, scope)


class Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    directory = "."

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def write(self, name, value):
        with open(os.path.join(self.directory, name), "a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")

    def take(self, body):
        for item in spans_of(body):
            self.write("spans", item)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(os.path.join(self.directory, "mode"), encoding="utf-8") as file:
            mode = file.read().split()
        self.write("calls", {"path": self.path, "mode": mode, "bytes": len(body), "headers": dict(self.headers),
                             "at": time.time()})
        if os.environ.get("COLLECTOR_KEEP"):
            with open(os.path.join(self.directory, f"body.{time.time_ns()}"), "wb") as file:
                file.write(body)
        if mode[0] == "slow":
            time.sleep(float(mode[1]))
        if mode[0].isdigit():
            return self.answer(int(mode[0]), headers=[("Retry-After", mode[1])] if len(mode) > 1 else ())
        self.take(body)
        if mode[0] == "partial":
            return self.answer(200, bytes([0x0A, 2, 0x08, int(mode[1])]))
        return self.answer(200)

    def log_message(self, *_):
        pass


def main():
    Collector.directory = sys.argv[1]
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Collector)
    server.daemon_threads = True
    with open(os.path.join(sys.argv[1], "port.new"), "w", encoding="utf-8") as file:
        file.write(str(server.server_address[1]))
    os.rename(os.path.join(sys.argv[1], "port.new"), os.path.join(sys.argv[1], "port"))
    server.serve_forever()


if __name__ == "__main__":
    main()
