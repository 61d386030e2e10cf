#!/usr/bin/env python3
"""stand_in.py PORT PAGE STEP PATTERN...: serve a page that the real service gave, with some of its counters moved.

For what the real program cannot be made to do by honest means. Every sample whose name and labels match a PATTERN (a regular
expression) grows by STEP with each scrape; all else stays as the service wrote it. STEP `=N` sets them to N instead.
"""
import http.server
import re
import sys

port, page, step, *patterns = sys.argv[1:]
with open(page, encoding="utf-8") as file:
    lines = file.read().splitlines()
if not all(any(re.match(pattern, line) for line in lines) for pattern in patterns):
    sys.exit(f"a pattern matches nothing on {page}: {patterns}")
scrapes = 0


def moved(line):
    if not any(re.match(pattern, line) for pattern in patterns):
        return line
    name, value = line.rsplit(" ", 1)
    return f"{name} {step[1:] if step.startswith('=') else float(value) + scrapes * float(step)}"


class StandIn(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global scrapes
        scrapes += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(("\n".join(map(moved, lines)) + "\n").encode())

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", int(port)), StandIn).serve_forever()
