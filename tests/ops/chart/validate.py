#!/usr/bin/env python3
"""validate.py VERSIONS CRD_DIR FILE...: check Kubernetes manifests against the schemas of each version, strictly.

Built-in kinds have their schemas from the wheel kubernetes-validate, made from Kubernetes' own OpenAPI document. Custom kinds
have theirs from the CustomResourceDefinitions in CRD_DIR, closed here: a CRD's schema names its members and lets others pass
(the API server would prune them in silence), and a misspelt member is what this is to find. A kind that has no schema is a
finding too, and so is a file without a document. Prints `fits FILE`, or `differs FILE` behind an indented line for each finding.
"""
import glob
import json
import os
import sys

import jsonschema
import kubernetes_validate
import referencing
import yaml

yaml.SafeLoader.yaml_implicit_resolvers.pop("=", None)  # a bare "=" is text in CRDs, and no YAML 1.1 value
DRAFT = referencing.jsonschema.DRAFT202012


def closed(schema):
    """A CRD's schema with its objects closed, and what Kubernetes writes beside JSON Schema turned into it."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items() if key != "format"}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("type", None)
    if schema.pop("nullable", False) and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return schema


def custom_kinds(folder):
    """{(apiVersion, kind): schema} of each CRD file's versions."""
    found = {}
    for path in glob.glob(os.path.join(folder, "*.yaml")):
        with open(path, encoding="utf-8") as file:
            for crd in yaml.load_all(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                if not crd or crd.get("kind") != "CustomResourceDefinition":
                    continue
                for version in crd["spec"]["versions"]:
                    schema = closed(version["schema"]["openAPIV3Schema"])
                    schema["properties"]["metadata"] = {"type": "object"}
                    schema.setdefault("required", []).append("metadata")
                    found[f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]] = schema
    return found


class Kinds:
    """The schemas of one version; each is read once."""

    def __init__(self, version, custom):
        package = os.path.dirname(kubernetes_validate.__file__)
        self.folder = os.path.join(package, "kubernetes-json-schema", f"v{version}.0-local-strict")
        if not os.path.isdir(self.folder):
            sys.exit(f"validate.py: kubernetes-validate has no schemas of Kubernetes {version}")
        self.validators, self.custom = {}, custom
        self.registry = referencing.Registry(retrieve=self.read)

    def read(self, uri):
        with open(os.path.join(self.folder, uri.rsplit("/", 1)[-1]), encoding="utf-8") as file:
            schema = json.load(file)
        schema.pop("$id", None)
        return referencing.Resource.from_contents(schema, default_specification=DRAFT)

    def of(self, api, kind):
        if (api, kind) not in self.validators:
            self.validators[api, kind] = self.make(api, kind)
        return self.validators[api, kind]

    def make(self, api, kind):
        schema = self.custom.get((api, kind))
        if schema is None:
            group, _, version = api.rpartition("/")
            name = "-".join([kind.lower()] + ([group.split(".")[0]] if group else []) + [version])
            if not os.path.exists(os.path.join(self.folder, name + ".json")):
                return None
            schema = self.read(name + ".json").contents
        return jsonschema.Draft202012Validator(schema, registry=self.registry)


def findings(kinds, document):
    api, kind = document.get("apiVersion", ""), document.get("kind", "")
    validator = kinds.of(api, kind)
    if validator is None:
        return [f"there is no kind {kind!r} of {api!r}"]
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)]


def main(versions, crds, files):
    custom = custom_kinds(crds)
    versions = [(version, Kinds(version, custom)) for version in versions.split(",")]
    for path in files:
        with open(path, encoding="utf-8") as file:
            documents = [document for document in yaml.safe_load_all(file) if document]
        found = [] if documents else ["there is no document in it"]
        for version, kinds in versions:
            for document in documents:
                name = f"{document.get('kind')} {document.get('metadata', {}).get('name')}"
                found += [f"{version} {name}: {finding}" for finding in findings(kinds, document)]
        print("".join(f"    {line}\n" for line in found) + ("differs " if found else "fits ") + path)


if len(sys.argv) < 4:
    sys.exit(__doc__)
main(sys.argv[1], sys.argv[2], sys.argv[3:])
