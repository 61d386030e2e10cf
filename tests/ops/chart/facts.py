#!/usr/bin/env python3
"""facts.py: what must hold in the manifests and in what the chart renders, as TAP.

A fact is a check and a way to break it: the check must pass on the documents as they are and fail on the broken ones, so no
check can pass by finding nothing. The same facts are asked of deployment/kubernetes and of the chart: they are two ways to the
same thing. Then come the chart's own promises: what each value does, and what it refuses.
LEX_CONSUMER is the service's program: what is set in a pod's environment must be an option that it takes.
"""
import copy
import json
import os
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
HELM = ROOT / "deployment/helm"
CHART = HELM / "lexecon"
CONSUMER = os.environ["LEX_CONSUMER"]
DRAIN_SECONDS = 25  # the default of shutdown_timeout_ms
AROUND_MIB = 96  # what the program needs besides its budget, measured: docs/deployment/scaling.md
failed = 0


def result(good, name, detail=""):
    global failed
    failed += not good
    if not good and detail:
        print("    " + str(detail).strip().replace("\n", "\n    "))
    print(("ok - " if good else "not ok - ") + name)


# ---- documents ----

def template(values, *more):
    return subprocess.run(["helm", "template", "lexecon", str(CHART), "-n", "lexecon", "-f", "-", *more],
                          input=json.dumps(values), capture_output=True, text=True, check=False)


def render(values, *more):
    done = template(values, *more)
    if done.returncode:
        raise SystemExit(f"not ok - the chart renders {values}\n    {done.stderr}")
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def manifests():
    return [document for path in sorted((ROOT / "deployment/kubernetes").glob("*.yaml"))
            for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def get(documents, kind, name="lexecon"):
    found = [d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name]
    return found[0] if found else {}


def at(value, path, default=None):
    """at(document, "spec.template.0.name"): a member of a member, or the default."""
    for key in path.split("."):
        if isinstance(value, list):
            value = value[int(key)] if int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            return default
    return value


def put(value, path, new):
    *way, last = path.split(".")
    for key in way:
        value = value[int(key)] if isinstance(value, list) else value.setdefault(key, {})
    if isinstance(value, list):
        value[int(last)] = new
    else:
        value[last] = new


def pod(documents, name="lexecon"):
    return at(get(documents, "Deployment", name), "spec.template.spec", {})


def container(documents, name="lexecon"):
    return at(pod(documents, name), "containers.0", {})


def volume(documents, wanted, name="lexecon"):
    return next((v for v in pod(documents, name).get("volumes", []) if v["name"] == wanted), {})


def environment(documents, name="lexecon"):
    """What the container's process sees of it; what comes from elsewhere is a stand-in."""
    seen = {}
    if not container(documents, name):
        return seen
    for source in container(documents, name).get("envFrom", []):
        seen.update(at(get(documents, "ConfigMap", at(source, "configMapRef.name")), "data", {}))
    for variable in container(documents, name).get("env", []):
        seen[variable["name"]] = variable.get("value", "stand-in")
    return seen


def mib(quantity):
    number, unit = re.fullmatch(r"([0-9.]+)(\D*)", str(quantity)).groups()
    return float(number) * {"": 2**-20, "Ki": 2**-10, "Mi": 1, "Gi": 1024, "M": 1e6 / 2**20, "G": 1e9 / 2**20}[unit]


def fullest_percent(documents):
    """Percent of the memory request that a pod with a full budget takes."""
    memory = at(container(documents), "resources", {})
    limit, request = mib(at(memory, "limits.memory")), mib(at(memory, "requests.memory"))
    budget = float(environment(documents).get("LEXECON_MEMORY_BUDGET_MB", limit * 0.6))
    return 100 * (budget + AROUND_MIB) / request


def ports(rules, where):
    return {(p["protocol"], p["port"], p.get("endPort", p["port"])) for rule in rules for p in rule.get("ports", [])
            if where == "in" or rule}


def check_config(seen):
    done = subprocess.run([CONSUMER, "--check-config"], env=seen, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def egress(documents):
    return ports(at(get(documents, "NetworkPolicy"), "spec.egress", []), "out")


def selects(documents, selector):
    labels = at(get(documents, "Deployment"), "spec.template.metadata.labels", {})
    return bool(selector) and selector.items() <= labels.items()


# ---- the facts: (name, check, what breaks it) ----

def breaking(path, new, kind="Deployment", name="lexecon"):
    return lambda documents: put(get(documents, kind, name), path, new)


POD = "spec.template.spec."
FIRST = POD + "containers.0."

FACTS = [
    ("the Deployment is lexecon, its pods are app: lexecon",
     lambda d: at(get(d, "Deployment"), "spec.selector.matchLabels.app") == "lexecon"
     and selects(d, at(get(d, "Deployment"), "spec.selector.matchLabels")),
     breaking("spec.template.metadata.labels.app", "other")),
    ("the Service lexecon takes port 80 to the pods' 8000",
     lambda d: at(get(d, "Service"), "spec.ports.0.port") == 80 and at(get(d, "Service"), "spec.ports.0.targetPort") == "http"
     and at(container(d), "ports.0") == {"name": "http", "containerPort": 8000, "protocol": "TCP"}
     and selects(d, at(get(d, "Service"), "spec.selector")),
     breaking("spec.selector.app", "nobody", "Service")),
    ("the HPA has 2 to 10 pods by 70% CPU and 80% memory of the Deployment",
     lambda d: (at(get(d, "HorizontalPodAutoscaler"), "spec.minReplicas"), at(get(d, "HorizontalPodAutoscaler"), "spec.maxReplicas"),
                {m["resource"]["name"]: m["resource"]["target"]["averageUtilization"]
                 for m in at(get(d, "HorizontalPodAutoscaler"), "spec.metrics", [])})
     == (2, 10, {"cpu": 70, "memory": 80}) and at(get(d, "HorizontalPodAutoscaler"), "spec.scaleTargetRef.name") == "lexecon",
     breaking("spec.maxReplicas", 11, "HorizontalPodAutoscaler")),
    ("spec.replicas is left out, so that an apply does not undo the HPA",
     lambda d: "replicas" not in get(d, "Deployment")["spec"], breaking("spec.replicas", 2)),
    ("a pod with a full memory budget stays under the HPA's target",
     lambda d: fullest_percent(d) < at(get(d, "HorizontalPodAutoscaler"), "spec.metrics.1.resource.target.averageUtilization"),
     breaking(FIRST + "resources.requests.memory", "256Mi")),
    ("the budget leaves the container's limit room for the program",
     lambda d: mib(at(container(d), "resources.limits.memory")) * 0.8 >= float(environment(d)["LEXECON_MEMORY_BUDGET_MB"]) + AROUND_MIB,
     breaking(FIRST + "resources.limits.memory", "400Mi")),
    ("CPU and memory are requested and limited",
     lambda d: all(at(container(d), f"resources.{a}.{b}") for a in ("requests", "limits") for b in ("cpu", "memory")),
     breaking(FIRST + "resources.limits", {})),
    ("pods run as user 1000 and never as root",
     lambda d: at(pod(d), "securityContext.runAsUser") == 1000 and at(pod(d), "securityContext.fsGroup") == 1000
     and at(pod(d), "securityContext.runAsNonRoot") is True and at(container(d), "securityContext.runAsNonRoot") is True,
     breaking(POD + "securityContext.runAsUser", 0)),
    ("the root file system is read-only", lambda d: at(container(d), "securityContext.readOnlyRootFilesystem") is True,
     breaking(FIRST + "securityContext.readOnlyRootFilesystem", False)),
    ("all capabilities are dropped, and none comes back",
     lambda d: at(container(d), "securityContext.capabilities") == {"drop": ["ALL"]}
     and at(container(d), "securityContext.allowPrivilegeEscalation") is False,
     breaking(FIRST + "securityContext.capabilities.add", ["NET_ADMIN"])),
    ("seccomp is RuntimeDefault", lambda d: at(pod(d), "securityContext.seccompProfile.type") == "RuntimeDefault",
     breaking(POD + "securityContext.seccompProfile.type", "Unconfined")),
    ("neither the account nor the pod has a token",
     lambda d: pod(d).get("automountServiceAccountToken") is False and pod(d)["serviceAccountName"] == "lexecon"
     and get(d, "ServiceAccount").get("automountServiceAccountToken") is False,
     breaking("automountServiceAccountToken", True, "ServiceAccount")),
    ("Services' variables do not come into the environment", lambda d: pod(d).get("enableServiceLinks") is False,
     breaking(POD + "enableServiceLinks", True)),
    ("each pod has its own volume for the mirror, with a ceiling",
     lambda d: bool(at(volume(d, "data"), "emptyDir.sizeLimit"))
     and {"name": "data", "mountPath": "/data/.lexecon"} in container(d)["volumeMounts"]
     and environment(d)["LEXECON_DATA_DIR"] == "/data/.lexecon",
     breaking(POD + "volumes.0", {"name": "data", "emptyDir": {}})),
    ("no pod that decides has a claim", lambda d: not any("persistentVolumeClaim" in v for v in pod(d)["volumes"]),
     breaking(POD + "volumes.0", {"name": "data", "persistentVolumeClaim": {"claimName": "lexecon-audit"}})),
    ("every mount has its volume, and /etc/lexecon is read-only",
     lambda d: {m["name"] for m in container(d)["volumeMounts"]} == {v["name"] for v in pod(d)["volumes"]}
     and all(m.get("readOnly") for m in container(d)["volumeMounts"] if m["mountPath"].startswith("/etc/")),
     breaking(FIRST + "volumeMounts.0.name", "other")),
    ("the keys' Secret may come later, and the group alone reads it",
     lambda d: at(volume(d, "keys"), "secret") == {"secretName": "lexecon-keys", "optional": True, "defaultMode": 0o440}
     and environment(d)["LEXECON_KEYS"] == "mounted" and environment(d)["LEXECON_KEYS_DIR"] == "/etc/lexecon/keys",
     lambda d: volume(d, "keys")["secret"].update(optional=False)),
    ("the policy's ConfigMap may come later",
     lambda d: at(volume(d, "policy"), "configMap") == {"name": "lexecon-policy", "optional": True}
     and environment(d)["LEXECON_POLICY"] == "/etc/lexecon/policy",
     lambda d: volume(d, "policy")["configMap"].update(optional=False)),
    ("the node's name is the pod's",
     lambda d: {"name": "LEXECON_NODE_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}} in container(d)["env"],
     breaking(FIRST + "env.0", {"name": "LEXECON_NODE_ID", "value": "prod-node"})),
    ("the grace period is above the drain time", lambda d: pod(d)["terminationGracePeriodSeconds"] > DRAIN_SECONDS,
     breaking(POD + "terminationGracePeriodSeconds", 25)),
    ("a roll-out takes a quarter at a time and never has fewer pods than asked for",
     lambda d: at(get(d, "Deployment"), "spec.strategy.rollingUpdate") == {"maxSurge": "25%", "maxUnavailable": 0}
     and at(get(d, "Deployment"), "spec.minReadySeconds") >= 5,
     breaking("spec.strategy.rollingUpdate.maxUnavailable", 1)),
    ("a drain takes one pod at a time",
     lambda d: at(get(d, "PodDisruptionBudget"), "spec.maxUnavailable") == 1
     and selects(d, at(get(d, "PodDisruptionBudget"), "spec.selector.matchLabels")),
     breaking("spec.selector.matchLabels.app", "nobody", "PodDisruptionBudget")),
    ("pods spread over hosts and zones",
     lambda d: {c["topologyKey"] for c in pod(d)["topologySpreadConstraints"]} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
     and all(selects(d, at(c, "labelSelector.matchLabels")) for c in pod(d)["topologySpreadConstraints"]),
     breaking(POD + "topologySpreadConstraints.0.labelSelector.matchLabels.app", "nobody")),
    ("the probes ask startup, live and ready",
     lambda d: [at(container(d), f"{p}Probe.httpGet.path") for p in ("startup", "liveness", "readiness")]
     == ["/health/startup", "/health/live", "/health/ready"],
     breaking(FIRST + "livenessProbe.httpGet.path", "/health/ready")),
    ("the NetworkPolicy is for these pods, both ways",
     lambda d: at(get(d, "NetworkPolicy"), "spec.policyTypes") == ["Ingress", "Egress"]
     and at(get(d, "NetworkPolicy"), "spec.podSelector.matchExpressions.0") == {"key": "app", "operator": "In", "values": ["lexecon", "lexecon-audit"]},
     breaking("spec.policyTypes", ["Ingress"], "NetworkPolicy")),
    ("it lets in Prometheus and the ingress controller, to port 8000 alone",
     lambda d: {at(f, "namespaceSelector.matchLabels", {}).get("kubernetes.io/metadata.name")
                for f in at(get(d, "NetworkPolicy"), "spec.ingress.0.from", [])} - {None} == {"monitoring", "ingress-nginx"}
     and ports(at(get(d, "NetworkPolicy"), "spec.ingress", []), "in") == {("TCP", 8000, 8000)},
     breaking("spec.ingress.0.ports.0.port", 9000, "NetworkPolicy")),
    ("it lets out DNS by UDP and by TCP", lambda d: {("UDP", 53, 53), ("TCP", 53, 53)} <= egress(d),
     breaking("spec.egress.0.ports.0.protocol", "TCP", "NetworkPolicy")),
    ("it lets out Kafka, the registry and OTLP, and no other port",
     lambda d: egress(d) == {("UDP", 53, 53), ("TCP", 53, 53), ("TCP", 9092, 9094), ("TCP", 8081, 8081), ("TCP", 443, 443), ("TCP", 4318, 4318)},
     breaking("spec.egress.1.ports.0.endPort", 9999, "NetworkPolicy")),
    ("nothing secret stands in a ConfigMap or in the open environment",
     lambda d: not [k for k in environment(d) if re.search("PASSWORD|TOKEN_KEY|SECRET|JAAS", k) and environment(d)[k] != "stand-in"],
     breaking("data.LEXECON_KAFKA_SASL_PASSWORD", "hunter2", "ConfigMap")),
    ("every variable is an option of the service, with a value that it takes",
     lambda d: check_config(environment(d))[0] and len(environment(d)) > 10,
     breaking("data.LEXECON_SERVER_WORKER", "4", "ConfigMap")),
]


def check_facts(what, documents):
    for name, check, breaks in FACTS:
        result(check(documents), f"{what}: {name}")
        broken = copy.deepcopy(documents)
        breaks(broken)
        result(not check(broken), f"{what}: (the twin is seen) {name}")


# ---- the chart's own ----

def names(documents, kind):
    return {d["metadata"]["name"] for d in documents if d["kind"] == kind}


# (what, values, check). Each check fails on the default rendering too, or it would show nothing of its value.
EFFECTS = [
    ("replicaCount, where nothing scales", {"replicaCount": 5, "autoscaling": {"enabled": False}},
     lambda d: get(d, "Deployment")["spec"].get("replicas") == 5 and not names(d, "HorizontalPodAutoscaler")),
    ("image.tag", {"image": {"repository": "r.example/x", "tag": "v0.1.0"}}, lambda d: container(d)["image"] == "r.example/x:v0.1.0"),
    ("image.digest in place of the tag", {"image": {"digest": "sha256:" + "a" * 64}},
     lambda d: container(d)["image"] == "lexecon@sha256:" + "a" * 64),
    ("imagePullSecrets", {"imagePullSecrets": [{"name": "pull"}]}, lambda d: pod(d).get("imagePullSecrets") == [{"name": "pull"}]),
    ("fullnameOverride", {"fullnameOverride": "other"}, lambda d: names(d, "Service") == {"other"}),
    ("commonLabels, on every resource and its pods, never in a selector", {"commonLabels": {"team": "x"}, "audit": {"enabled": True}},
     lambda d: all(x["metadata"]["labels"].get("team") == "x" for x in d if "helm.sh/hook" not in x["metadata"].get("annotations", {}))
     and at(get(d, "Deployment"), "spec.template.metadata.labels.team") == "x"
     and "team" not in at(get(d, "Deployment"), "spec.selector.matchLabels")),
    ("commonAnnotations, on every resource and its pods", {"commonAnnotations": {"note": "x"}},
     lambda d: all(x["metadata"].get("annotations", {}).get("note") == "x" for x in d if "helm.sh/hook" not in x["metadata"].get("annotations", {}))
     and at(get(d, "Deployment"), "spec.template.metadata.annotations.note") == "x"),
    ("podLabels and podAnnotations", {"podLabels": {"a": "b"}, "podAnnotations": {"c": "d"}},
     lambda d: at(get(d, "Deployment"), "spec.template.metadata.labels.a") == "b"
     and at(get(d, "Deployment"), "spec.template.metadata.annotations.c") == "d"),
    ("config.*", {"config": {"logLevel": "DEBUG", "policyMode": "paranoid", "serverWorkers": 8, "cacheEvaluations": True, "defaultTTL": 600,
                             "maxTTL": 7200, "autoVerify": False, "integrityCheckInterval": 60, "originPrefix": "a.example/b", "logFormat": "text"}},
     lambda d: {k: environment(d).get(f"LEXECON_{k}") for k in ("LOG_LEVEL", "POLICY_MODE", "SERVER_WORKERS", "CACHE_EVALUATIONS", "DEFAULT_TTL",
                "MAX_TTL", "AUTO_VERIFY", "INTEGRITY_CHECK_INTERVAL", "ORIGIN_PREFIX", "LOG_FORMAT")}
     == {"LOG_LEVEL": "DEBUG", "POLICY_MODE": "paranoid", "SERVER_WORKERS": "8", "CACHE_EVALUATIONS": "true", "DEFAULT_TTL": "600",
         "MAX_TTL": "7200", "AUTO_VERIFY": "false", "INTEGRITY_CHECK_INTERVAL": "60", "ORIGIN_PREFIX": "a.example/b", "LOG_FORMAT": "text"}),
    ("config.extra, which wins, with large numbers as numbers", {"config": {"extra": {"request_max_bytes": 1048576, "default_ttl": 7}}},
     lambda d: environment(d).get("LEXECON_REQUEST_MAX_BYTES") == "1048576" and environment(d)["LEXECON_DEFAULT_TTL"] == "7"),
    ("config.policyMode empty says nothing", {"config": {"policyMode": ""}}, lambda d: "LEXECON_POLICY_MODE" not in environment(d)),
    ("kafka over SASL and TLS, the password from the Secret",
     {"kafka": {"securityProtocol": "SASL_SSL", "sasl": {"mechanism": "SCRAM-SHA-512", "existingSecret": "user"}, "tls": {"caSecret": "ca"},
                "extraConfig": {"client.rack": "z"}}},
     lambda d: {"name": "LEXECON_KAFKA_SASL_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "user", "key": "password"}}} in container(d)["env"]
     and environment(d)["LEXECON_KAFKA_SSL_CA_LOCATION"] == "/etc/lexecon/kafka-ca/ca.crt" and environment(d)["LEXECON_KAFKA_CLIENT_RACK"] == "z"
     and at(volume(d, "kafka-ca"), "secret.secretName") == "ca" and check_config(environment(d))[0]),
    ("kafka with a client certificate", {"kafka": {"securityProtocol": "SSL", "tls": {"clientSecret": "me", "certKey": "user.crt", "keyKey": "user.key"}}},
     lambda d: environment(d).get("LEXECON_KAFKA_SSL_KEY_LOCATION") == "/etc/lexecon/kafka-client/user.key"
     and at(volume(d, "kafka-client"), "secret.secretName") == "me"),
    ("a broker on another port is let out", {"kafka": {"bootstrapServers": "a:31092,b:9093"}}, lambda d: ("TCP", 31092, 31092) in egress(d)),
    ("schemaRegistry", {"schemaRegistry": {"url": "https://r:8081", "existingSecret": "reg"}},
     lambda d: environment(d).get("LEXECON_SCHEMA_REGISTRY_URL") == "https://r:8081"
     and environment(d)["LEXECON_SCHEMA_REGISTRY_AUTH_FILE"] == "/etc/lexecon/registry/auth" and check_config(environment(d))[0]),
    ("otlp.endpoint", {"otlp": {"endpoint": "http://c:4318"}}, lambda d: environment(d).get("OTEL_EXPORTER_OTLP_ENDPOINT") == "http://c:4318"),
    ("policy.document as text", {"policy": {"document": '{"a": 1}'}},
     lambda d: json.loads(at(get(d, "ConfigMap", "lexecon-policy"), "data", {"policy.json": "0"})["policy.json"]) == {"a": 1}),
    ("policy.document as an object", {"policy": {"document": {"a": [1, True]}}},
     lambda d: json.loads(at(get(d, "ConfigMap", "lexecon-policy"), "data", {"policy.json": "0"})["policy.json"]) == {"a": [1, True]}),
    ("policy.restartOnChange", {"policy": {"document": "{}", "restartOnChange": True}},
     lambda d: at(get(d, "Deployment"), "spec.template.metadata.annotations", {}).get("checksum/policy")),
    ("policy.existingConfigMap", {"policy": {"existingConfigMap": "mine"}}, lambda d: at(volume(d, "policy"), "configMap.name") == "mine"),
    ("keys.existingSecret, optional", {"keys": {"existingSecret": "mine"}},
     lambda d: at(volume(d, "keys"), "secret.secretName") == "mine" and at(volume(d, "keys"), "secret.optional") is True),
    ("an Ingress brings the API key", {"ingress": {"enabled": True}},
     lambda d: environment(d).get("LEXECON_API_KEY_FILE") == "/etc/lexecon/secrets/api-key" and names(d, "Secret") == {"lexecon-secrets"}
     and at(volume(d, "secrets"), "secret.secretName") == "lexecon-secrets" and names(d, "Ingress") == {"lexecon"}),
    ("apiKey.existingSecret, and no Secret of the chart's", {"apiKey": {"existingSecret": "mine"}},
     lambda d: at(volume(d, "secrets"), "secret.secretName") == "mine" and not names(d, "Secret")),
    ("ingress.clusterIssuer", {"ingress": {"enabled": True, "clusterIssuer": "le", "className": "c", "hosts": [{"host": "h", "paths": [{"path": "/"}]}]}},
     lambda d: at(get(d, "Ingress"), "spec.tls") == [{"secretName": "lexecon-tls", "hosts": ["h"]}]
     and get(d, "Ingress")["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "le"
     and at(get(d, "Ingress"), "spec.ingressClassName") == "c"),
    ("autoscaling by CPU alone leaves the budget to the limit", {"autoscaling": {"targetMemoryUtilizationPercentage": None, "maxReplicas": 20}},
     lambda d: len(at(get(d, "HorizontalPodAutoscaler"), "spec.metrics", [])) == 1 and "LEXECON_MEMORY_BUDGET_MB" not in environment(d)),
    ("a small memory request makes a small budget", {"resources": {"requests": {"memory": "256Mi"}, "limits": {"memory": "1Gi"}}},
     lambda d: fullest_percent(d) < 80 and float(environment(d)["LEXECON_MEMORY_BUDGET_MB"]) < 150),
    ("keda in place of the HPA", {"autoscaling": {"enabled": False}, "keda": {"enabled": True, "maxReplicas": 7}, "config": {"extra": {"group": "g"}}},
     lambda d: not names(d, "HorizontalPodAutoscaler") and "replicas" not in get(d, "Deployment")["spec"]
     and at(get(d, "ScaledObject"), "spec.maxReplicaCount") == 7
     and at(get(d, "ScaledObject"), "spec.triggers.0.metadata.consumerGroup") == "g"),
    ("keda's own credentials", {"autoscaling": {"enabled": False}, "keda": {"enabled": True},
                               "kafka": {"securityProtocol": "SASL_SSL", "sasl": {"mechanism": "SCRAM-SHA-512", "existingSecret": "u"}}},
     lambda d: {"parameter": "password", "name": "u", "key": "password"} in at(get(d, "TriggerAuthentication"), "spec.secretTargetRef", [])
     and at(get(d, "ScaledObject"), "spec.triggers.0.authenticationRef.name") == "lexecon"
     and at(get(d, "ScaledObject"), "spec.triggers.0.metadata.sasl") == "scram_sha512"),
    ("audit.enabled: one replica, recreated, on its own claim, out of the Service",
     {"audit": {"enabled": True}, "persistence": {"size": "9Gi", "storageClass": "ssd"}},
     lambda d: at(get(d, "Deployment", "lexecon-audit"), "spec.replicas") == 1
     and at(get(d, "Deployment", "lexecon-audit"), "spec.strategy.type") == "Recreate"
     and at(volume(d, "data", "lexecon-audit"), "persistentVolumeClaim.claimName") == "lexecon-audit"
     and at(get(d, "PersistentVolumeClaim", "lexecon-audit"), "spec.resources.requests.storage") == "9Gi"
     and environment(d, "lexecon-audit")["LEXECON_ROLE"] == "audit" and "LEXECON_ROLE" not in environment(d)
     and at(get(d, "Service"), "spec.selector.app") != at(get(d, "Deployment", "lexecon-audit"), "spec.template.metadata.labels.app")
     and check_config(environment(d, "lexecon-audit"))[0]),
    ("the audit replica mirrors all and makes no topic, whatever the others are told",
     {"audit": {"enabled": True}, "config": {"extra": {"mirror_scope": "off", "create_topics": True}}},
     lambda d: environment(d, "lexecon-audit").get("LEXECON_MIRROR_SCOPE") == "all" and environment(d)["LEXECON_MIRROR_SCOPE"] == "off"
     and environment(d, "lexecon-audit")["LEXECON_CREATE_TOPICS"] == "false" and check_config(environment(d, "lexecon-audit"))[0]),
    ("persistence.existingClaim", {"audit": {"enabled": True}, "persistence": {"existingClaim": "mine"}},
     lambda d: at(volume(d, "data", "lexecon-audit"), "persistentVolumeClaim.claimName") == "mine" and not names(d, "PersistentVolumeClaim")),
    ("serviceMonitor, job lexecon, with the key where there is one", {"serviceMonitor": {"enabled": True, "labels": {"release": "p"}}, "apiKey": {"enabled": True}},
     lambda d: at(get(d, "ServiceMonitor"), "spec.endpoints.0.relabelings.0.replacement") == "lexecon"
     and at(get(d, "ServiceMonitor"), "metadata.labels.release") == "p"
     and at(get(d, "ServiceMonitor"), "spec.endpoints.0.authorization.credentials") == {"name": "lexecon-secrets", "key": "api-key"}),
    ("podMonitor", {"podMonitor": {"enabled": True}}, lambda d: at(get(d, "PodMonitor"), "spec.podMetricsEndpoints.0.path") == "/metrics"),
    ("prometheusRule has every alert of deployment/prometheus", {"prometheusRule": {"enabled": True}},
     lambda d: "LedgerIntegrityFailure" in json.dumps(get(d, "PrometheusRule")) and at(get(d, "PrometheusRule"), "spec.groups")
     == [g for path in ("alerts", "rules") for g in
         yaml.safe_load((ROOT / f"deployment/prometheus/{path}/lexecon.yml").read_text(encoding="utf-8"))["groups"]]),
    ("dashboards as ConfigMaps with the sidecar's label", {"dashboards": {"enabled": True}},
     lambda d: at(get(d, "ConfigMap", "lexecon-dashboard-overview"), "metadata.labels.grafana_dashboard") == "1"
     and json.loads(get(d, "ConfigMap", "lexecon-dashboard-overview")["data"]["lexecon-overview.json"])["title"]),
    ("podDisruptionBudget.minAvailable", {"podDisruptionBudget": {"minAvailable": "50%"}},
     lambda d: get(d, "PodDisruptionBudget")["spec"].get("minAvailable") == "50%" and "maxUnavailable" not in get(d, "PodDisruptionBudget")["spec"]),
    ("what schedules: nodeSelector, tolerations, affinity, priorityClassName, topologySpread",
     {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "k", "operator": "Exists"}], "affinity": {"podAntiAffinity": {}}, "priorityClassName": "p",
      "topologySpread": {"whenUnsatisfiable": "DoNotSchedule"}},
     lambda d: pod(d).get("nodeSelector") == {"a": "b"} and pod(d)["tolerations"][0]["key"] == "k" and "podAntiAffinity" in pod(d)["affinity"]
     and pod(d)["priorityClassName"] == "p" and pod(d)["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "DoNotSchedule"),
    ("containers beside and before", {"initContainers": [{"name": "i", "image": "x"}], "sidecars": [{"name": "s", "image": "y"}]},
     lambda d: at(pod(d), "initContainers.0.name") == "i" and at(pod(d), "containers.1.name") == "s"),
    ("extraEnv, envFrom, extraVolumes and their mounts",
     {"extraEnv": [{"name": "TZ", "value": "UTC"}], "envFrom": [{"secretRef": {"name": "e"}}],
      "extraVolumes": [{"name": "v", "emptyDir": {}}], "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}]},
     lambda d: environment(d).get("TZ") == "UTC" and {"secretRef": {"name": "e"}} in container(d)["envFrom"] and volume(d, "v")
     and {"name": "v", "mountPath": "/v"} in container(d)["volumeMounts"]),
    ("extraManifests, as an object and as a template",
     {"extraManifests": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}},
                         "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: two-{{ .Release.Name }}\n"]},
     lambda d: {"one", "two-lexecon"} <= names(d, "ConfigMap")),
    ("lifecycle, probes and grace period", {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}, "terminationGracePeriodSeconds": 90,
                                           "livenessProbe": {"periodSeconds": 99}},
     lambda d: "preStop" in container(d).get("lifecycle", {}) and pod(d)["terminationGracePeriodSeconds"] == 90
     and container(d)["livenessProbe"]["periodSeconds"] == 99 and container(d)["livenessProbe"]["httpGet"]["path"] == "/health/live"),
    ("serviceAccount of your own", {"serviceAccount": {"create": False, "name": "mine"}},
     lambda d: pod(d)["serviceAccountName"] == "mine" and not names(d, "ServiceAccount")),
    ("service", {"service": {"type": "LoadBalancer", "port": 8080, "annotations": {"x": "y"}}},
     lambda d: at(get(d, "Service"), "spec.type") == "LoadBalancer" and at(get(d, "Service"), "spec.ports.0.port") == 8080),
    ("mirror.sizeLimit", {"mirror": {"sizeLimit": "1Gi"}}, lambda d: at(volume(d, "data"), "emptyDir.sizeLimit") == "1Gi"),
    ("networkPolicy's own rules", {"networkPolicy": {"prometheusNamespace": "m", "extraEgress": [{"ports": [{"protocol": "TCP", "port": 1}]}],
                                                   "kafkaTo": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}},
     lambda d: ("TCP", 1, 1) in egress(d) and at(get(d, "NetworkPolicy"), "spec.egress.1.to.0.ipBlock.cidr") == "10.0.0.0/8"
     and at(get(d, "NetworkPolicy"), "spec.ingress.0.from.0.namespaceSelector.matchLabels") == {"kubernetes.io/metadata.name": "m"}),
]

# (what, values, a pattern of what the refusal says)
REFUSALS = [
    ("a misspelt value", {"replicaCuont": 3}, "replicaCuont"),
    ("a misspelt value further in", {"autoscaling": {"maxReplica": 3}}, "maxReplica"),
    ("a number given as text", {"replicaCount": "three"}, "replicaCount"),
    ("text given as a number", {"image": {"tag": 1}}, "tag"),
    ("replicas out of range", {"replicaCount": -1}, "replicaCount"),
    ("more replicas than any cluster has", {"autoscaling": {"maxReplicas": 1001}}, "maxReplicas"),
    ("no pods at the least", {"autoscaling": {"minReplicas": 0}}, "minReplicas"),
    ("a log level that is none", {"config": {"logLevel": "LOUD"}}, "logLevel"),
    ("a policy mode that is none", {"config": {"policyMode": "lax"}}, "policyMode"),
    ("too many workers", {"config": {"serverWorkers": 65}}, "serverWorkers"),
    ("an option that is none", {"config": {"extra": {"comit_interval_ms": 1}}}, "comit_interval_ms"),
    ("a Kafka setting that exactly-once rests on", {"kafka": {"extraConfig": {"isolation.level": "read_uncommitted"}}}, "extraConfig"),
    ("a digest that is none", {"image": {"digest": "sha256:abc"}}, "digest"),
    ("a port that is none", {"service": {"port": 70000}}, "port"),
    ("a registry that is no URL", {"schemaRegistry": {"url": "registry:8081"}}, "url"),
    ("HPA and KEDA together", {"autoscaling": {"enabled": True}, "keda": {"enabled": True}}, "autoscaling.enabled and keda.enabled are both true"),
    ("a least above the largest", {"autoscaling": {"minReplicas": 5, "maxReplicas": 4}}, "is above autoscaling.maxReplicas"),
    ("an HPA by nothing", {"autoscaling": {"targetCPUUtilizationPercentage": None, "targetMemoryUtilizationPercentage": None}}, "nothing to scale by"),
    ("an HPA by memory that nobody requests", {"resources": {"requests": {"memory": None}}}, "resources.requests.memory, which is not set"),
    ("a memory request with no room for a budget", {"resources": {"requests": {"memory": "128Mi"}}}, "leave no room for a memory budget"),
    ("both monitors", {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}, "every sample would come twice"),
    ("two policies", {"policy": {"document": "{}", "existingConfigMap": "x"}}, "two ways to give one policy"),
    ("SASL over a protocol without it", {"kafka": {"sasl": {"mechanism": "PLAIN"}}}, "expected SASL_SSL or SASL_PLAINTEXT"),
    ("a SASL protocol without a mechanism", {"kafka": {"securityProtocol": "SASL_SSL"}}, "kafka.sasl.mechanism is not set"),
    ("a grace period below the drain time", {"terminationGracePeriodSeconds": 25}, "must be above the drain time"),
    ("a grace period below a longer drain time", {"config": {"extra": {"shutdown_timeout_ms": 60000}}}, "must be above the drain time"),
]


def check_effects(default):
    for what, values, check in EFFECTS:
        result(bool(check(render(values))), f"value: {what}")
        result(not check(default), f"value: (not so by default) {what}")


def check_refusals():
    for what, values, says in REFUSALS:
        done = template(values)
        result(done.returncode != 0 and says in done.stderr, f"refused: {what}", done.stderr or "it was taken")


def leaves(value, path=()):
    """Every object of values.yaml with known members, and every value in it."""
    for key, inner in value.items():
        yield path, path + (key,)
        if isinstance(inner, dict):
            yield from leaves(inner, path + (key,))


def check_schema_is_closed(defaults):
    """A member that nobody knows is refused in each object, but those whose members the user names, or Kubernetes."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    open_objects = []

    def walk(part, path):
        if part.get("properties") and part.get("additionalProperties") is not False:
            open_objects.append(".".join(path))
        for key, inner in part.get("properties", {}).items():
            walk(inner, path + [key])
    walk(schema, [])
    result(not open_objects, "schema: every object with members is closed", open_objects)
    unknown = sorted(set(schema["properties"]) ^ set(defaults) - {"global"})
    result(unknown in ([], ["global"]), "schema: it has the values of values.yaml and no others", unknown)


def check_values_are_used(defaults):
    texts = "".join(p.read_text(encoding="utf-8") for p in (CHART / "templates").rglob("*.*"))
    free = {"resources", "podSecurityContext", "securityContext", "startupProbe", "livenessProbe", "readinessProbe", "updateStrategy",
            "annotations", "behavior", "hosts"}
    unused = [".".join(path) for _, path in leaves(defaults)
              if not set(path[:-1]) & free and not re.search(r"\." + re.escape(path[-1]) + r"\b", texts)]
    result(not unused, "values: each is used by a template", unused)
    result(not re.search(r"\.noSuchValue\b", texts), "values: (the twin is seen) one that no template uses")


def notes(values):
    """NOTES.txt as it is shown after an install, which `helm template` leaves out."""
    import shutil
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        chart = pathlib.Path(folder) / "lexecon"
        shutil.copytree(CHART, chart)
        text = (chart / "templates/NOTES.txt").read_text(encoding="utf-8")
        (chart / "files/notes").write_text(text, encoding="utf-8")
        (chart / "templates/shown.yaml").write_text('kind: Notes\ntext: {{ tpl (.Files.Get "files/notes") . | quote }}\n', encoding="utf-8")
        done = subprocess.run(["helm", "template", "lexecon", str(chart), "-n", "lexecon", "-f", "-", "-s", "templates/shown.yaml"],
                              input=json.dumps(values), capture_output=True, text=True, check=False)
        return yaml.safe_load(done.stdout)["text"] if done.returncode == 0 else done.stderr


def check_notes():
    idle = {"kafka": {"requestPartitions": 8}, "autoscaling": {"maxReplicas": 10}, "config": {"serverWorkers": 4}}
    enough = {"kafka": {"requestPartitions": 40}, "autoscaling": {"maxReplicas": 10}, "config": {"serverWorkers": 4}}
    result("40 consumers for 8 partitions: 32 would be idle" in notes(idle), "notes: idle workers are warned of", notes(idle))
    result("idle" not in notes(enough), "notes: enough partitions are no warning", notes(enough))
    result("originPrefix is lexecon/local" in notes({}), "notes: the default origin is warned of", notes({}))
    result("originPrefix" not in notes({"config": {"originPrefix": "a/b"}}), "notes: an origin of one's own is not")
    result("has no certificate" in notes({"ingress": {"enabled": True}}), "notes: an Ingress without TLS is warned of")
    result("has no certificate" not in notes({"ingress": {"enabled": True, "clusterIssuer": "x"}}), "notes: one with TLS is not")


def check_roll_outs():
    """Pods come anew for a changed setting and not for one that they do not read."""
    def sum_of(values):
        return at(get(render(values), "Deployment"), "spec.template.metadata.annotations.checksum/config")
    first = sum_of({})
    result(first == sum_of({"podDisruptionBudget": {"enabled": False}}), "roll-out: what no pod reads restarts none")
    result(first != sum_of({"config": {"defaultTTL": 301}}), "roll-out: a changed setting restarts the pods")


def check_namespaces():
    hard = [d["metadata"]["name"] for d in manifests() if "namespace" in d["metadata"]]
    result(not hard, "manifests: no namespace is hard-coded", hard)
    other = [d["metadata"]["name"] for d in render({}, "-n", "other") if d["metadata"].get("namespace") != "other"]
    result(not other, "chart: everything is in the release's namespace", other)
    listed = sorted(p.name for p in (ROOT / "deployment/kubernetes").iterdir())
    result({"configmap.yaml", "pvc.yaml", "deployment.yaml", "hpa.yaml", "ingress.yaml"} <= set(listed), "manifests: the guide's five files", listed)
    result("kustomization.yaml" not in listed, "manifests: nothing needs kustomize")
    builtin = ("v1", "apps/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1")
    foreign = [d["kind"] for d in manifests() if d["apiVersion"] not in builtin]
    result(not foreign, "manifests: apply -f of the folder needs no CRD", foreign)
    paths = [p["path"] for r in at(get(manifests(), "Ingress"), "spec.rules") for p in r["http"]["paths"]]
    result(all(not "/metrics".startswith(p) for p in paths), "manifests: the Ingress does not publish /metrics", paths)


def optional():
    return [document for path in sorted((ROOT / "deployment/kubernetes/optional").glob("*.yaml"))
            for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def check_audit_manifest():
    documents = manifests() + optional()
    audit = get(documents, "Deployment", "lexecon-audit")
    result(at(audit, "spec.replicas") == 1 and at(audit, "spec.strategy.type") == "Recreate"
           and at(volume(documents, "data", "lexecon-audit"), "persistentVolumeClaim.claimName") in names(documents, "PersistentVolumeClaim"),
           "manifests: the audit replica is one, recreated, on pvc.yaml")
    good, said = check_config(environment(documents, "lexecon-audit"))
    result(good and environment(documents, "lexecon-audit")["LEXECON_ROLE"] == "audit", "manifests: its environment is role=audit, and valid", said)
    for field in ("securityContext", "automountServiceAccountToken", "terminationGracePeriodSeconds"):
        result(pod(documents, "lexecon-audit")[field] == pod(documents)[field], f"manifests: its {field} is the others'")
    result(container(documents, "lexecon-audit")["securityContext"] == container(documents)["securityContext"], "manifests: and its container's too")
    result(at(get(documents, "Service"), "spec.selector.app") != at(audit, "spec.template.metadata.labels.app"), "manifests: the Service does not reach it")


def main():
    default = render({})
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    check_facts("manifests", manifests())
    check_facts("chart", default)
    check_namespaces()
    check_audit_manifest()
    check_effects(default)
    check_refusals()
    check_schema_is_closed(defaults)
    check_values_are_used(defaults)
    check_roll_outs()
    check_notes()
    for path in sorted((HELM / "examples").glob("*.yaml")):
        good, said = check_config(environment(render(yaml.safe_load(path.read_text(encoding="utf-8")))))
        result(good, f"example {path.name}: the service takes its environment", said)


main()
sys.exit(1 if failed else 0)
