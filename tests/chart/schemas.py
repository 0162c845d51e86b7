"""JSON schemas of Kubernetes' own objects and of CRDs, strict, for kubeconform: made offline from what Go modules carry."""

import copy
import functools
import json

import yaml

import tools

FOLDER = tools.CACHE / "schemas"
LOCATION = str(FOLDER / "{{.ResourceKind}}_{{.Group}}_{{.ResourceAPIVersion}}.json")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NUMBER_OR_TEXT = {"anyOf": [{"type": "string"}, {"type": "number"}]}
PREFIX = "#/definitions/"


@functools.cache
def openapi():
    module, path = tools.OPENAPI
    return json.loads((tools.module(module) / path).read_text())["definitions"]


def strict(schema):
    """The schema with everything refused that it does not name; Kubernetes itself would drop it in silence."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") in ("int-or-string", "quantity"):
        return NUMBER_OR_TEXT
    out = {}
    for key, value in schema.items():
        if key in ("properties", "definitions"):
            out[key] = {name: strict(part) for name, part in value.items()}
        elif not key.startswith("x-") and key not in ("description", "default", "example"):
            out[key] = strict(value)
    if "properties" in schema and "additionalProperties" not in schema:
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            out["additionalProperties"] = False
    return out


def with_definitions(name):
    """The definition `name` of Kubernetes' OpenAPI, with all that it refers to."""
    wanted, seen = [name], {}
    while wanted:
        current = wanted.pop()
        if current in seen:
            continue
        seen[current] = openapi()[current]
        wanted += [part.removeprefix(PREFIX) for part in references(seen[current])]
    definitions = {key: strict(value) for key, value in seen.items()}
    for key in definitions:
        if key.endswith("resource.Quantity"):
            definitions[key] = NUMBER_OR_TEXT
    return {"$ref": PREFIX + name, "definitions": definitions}


def references(schema):
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def of_kubernetes(group, version, kind):
    wanted = {"group": group, "version": version, "kind": kind}
    for name, definition in openapi().items():
        if wanted in definition.get("x-kubernetes-group-version-kind", []):
            return with_definitions(name)
    return None


def of_crd(group, version, kind):
    for module, pattern in tools.CRDS:
        for path in sorted(tools.module(module).glob(pattern)):
            text = path.read_text()
            if f"kind: {kind}\n" not in text or f"group: {group}\n" not in text:
                continue
            for crd in yaml.load_all(text, LOADER):
                spec = (crd or {}).get("spec", {})
                if spec.get("group") != group or spec.get("names", {}).get("kind") != kind:
                    continue
                for candidate in spec["versions"]:
                    if candidate["name"] == version:
                        return of_custom_object(candidate["schema"]["openAPIV3Schema"])
    return None


def of_custom_object(schema):
    schema = strict(copy.deepcopy(schema))
    metadata = with_definitions("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    schema["definitions"] = metadata["definitions"]
    schema["properties"]["metadata"] = {"$ref": metadata["$ref"]}
    return schema


def write(api_version, kind):
    """Puts the schema where kubeconform looks for it. Raises LookupError if no module has one."""
    group, _, version = api_version.rpartition("/")
    # To kubeconform the group of core objects is their version.
    path = FOLDER / f"{kind.lower()}_{group or version}_{version}.json"
    stamp = f"{tools.OPENAPI} {tools.CRDS}"
    if path.exists() and json.loads(path.read_text())["title"] == stamp:
        return
    schema = of_kubernetes(group, version, kind) or of_crd(group, version, kind)
    if schema is None:
        raise LookupError(f"no schema of {api_version} {kind} in the modules that tests/chart/tools.py names")
    FOLDER.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"title": stamp, **schema}))
