#!/usr/bin/env python3
"""grafana.py COMPOSE.json ROOT: Grafana's provisioning, held against the compose file's mounts, without a Grafana.

COMPOSE.json is what `docker-compose config --format json` prints. A file that Grafana looks for inside its container
must be one that a mount brings there; a data source must point at a service and a port of this file; and whatever uid a
dashboard's panel names must be a provisioned one. Each of these is a blank dashboard when it is wrong, and no error.
"""
import json
import pathlib
import sys
from urllib.parse import urlsplit

import yaml

PROVISIONING = "/etc/grafana/provisioning"


def fail(text):
    sys.exit(f"grafana.py: {text}")


def on_host(mounts, inside):
    """The file or folder of the host that `inside` is in the container; the longest mount wins."""
    best = max((m for m in mounts if inside == m or inside.startswith(m + "/")), key=len, default=None)
    if best is None or mounts[best] is None:
        fail(f"nothing of this tree is mounted as {inside}")
    return pathlib.Path(mounts[best] + inside[len(best):])


def data_source_uids(node):
    if isinstance(node, dict):
        source = node.get("datasource")
        if isinstance(source, dict) and source.get("type") != "grafana":
            yield source.get("uid")
        for value in node.values():
            yield from data_source_uids(value)
    elif isinstance(node, list):
        for value in node:
            yield from data_source_uids(value)


def provisioned(mounts, kind):
    folder = on_host(mounts, f"{PROVISIONING}/{kind}")
    files = sorted(folder.glob("*.y*ml"))
    if not files:
        fail(f"{folder} has no file: Grafana would start empty")
    for file in files:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        if content.get("apiVersion") != 1:
            fail(f"{file}: apiVersion is {content.get('apiVersion')}, Grafana reads 1")
        yield file, content


def check_sources(services, mounts):
    uids = set()
    for file, content in provisioned(mounts, "datasources"):
        for source in content["datasources"]:
            url = urlsplit(source["url"])
            if url.hostname not in services:
                fail(f"{file}: {source['url']}: there is no service {url.hostname}")
            published = {port["target"] for port in services[url.hostname].get("ports", [])}
            if url.port not in published:
                fail(f"{file}: {source['url']}: {url.hostname} has the ports {sorted(published)}")
            uids.add(source["uid"])
    return uids


def check_dashboards(mounts, uids):
    count = 0
    for file, content in provisioned(mounts, "dashboards"):
        for provider in content["providers"]:
            folder = on_host(mounts, provider["options"]["path"])
            boards = sorted(folder.glob("*.json"))
            if not boards:
                fail(f"{file}: {folder} has no dashboard")
            for board in boards:
                named = set(data_source_uids(json.loads(board.read_text(encoding="utf-8"))))
                unknown = {uid for uid in named if uid not in uids and not str(uid).startswith("${")}
                if unknown or not named:
                    fail(f"{board}: data sources {sorted(map(str, named))}, provisioned are {sorted(uids)}")
                count += 1
    return count


def main(compose_file, root):
    with open(compose_file, encoding="utf-8") as file:
        services = json.load(file)["services"]
    grafana = services["grafana"]
    mounts = {v["target"]: v["source"] if v["type"] == "bind" else None for v in grafana["volumes"]}
    for source in filter(None, mounts.values()):
        if not pathlib.Path(source).is_dir() or not source.startswith(root):
            fail(f"{source} is mounted and is no folder of {root}")
    uids = check_sources(services, mounts)
    count = check_dashboards(mounts, uids)
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    if not on_host(mounts, home).is_file():
        fail(f"the home dashboard {home} is not mounted")
    print(f"{count} dashboards, data sources {sorted(uids)}")


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(*sys.argv[1:])
