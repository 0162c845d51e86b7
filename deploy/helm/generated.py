#!/usr/bin/env python3
"""Writes what follows from other files: the table of values in the chart's README, the access policy's schema in the chart's,
and files/flags.yaml from `refund-relay --help`. `--check` writes nothing and fails if something is stale. `./dev chart --write`
and `./dev chart` run it. REFUND_RELAY_BIN is the folder of the binary, by default that of the release build."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

import yaml

CHART = pathlib.Path(__file__).resolve().parent / "refund-relay"
POLICY_SCHEMA = CHART.parents[2] / "docs" / "access-policy.schema.json"
BIN = pathlib.Path(os.environ.get("REFUND_RELAY_BIN") or CHART.parents[2] / "build" / "release" / "bin")
FLAGS_HEAD = """\
# The flags of the server, by ./dev chart --write from `refund-relay --help`: boolean, or those that need a value. What `config`
# may hold is checked against them.
"""
BEGIN, END = "<!-- values: by ./dev chart --write -->", "<!-- end of values -->"


def resolve(schema, root):
    """The schema that `schema` refers to."""
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].removeprefix("#/definitions/")]
    return schema


def is_section(node, schema):
    """Whether the table tells the members of this mapping, rather than the mapping as one value."""
    return isinstance(node, yaml.MappingNode) and "properties" in schema and bool(node.value)


def comment_above(lines, line):
    """The comment block right above `line` (counted from 0), its first line's "# --" aside; empty if there is none."""
    block = []
    while line > 0 and lines[line - 1].strip().startswith("#"):
        line -= 1
        block.insert(0, lines[line].strip())
    starts = [index for index, text in enumerate(block) if text.startswith("# -- ")]
    if not starts:
        return ""
    words = [block[starts[-1]].removeprefix("# -- ")] + [text.removeprefix("#").strip() for text in block[starts[-1] + 1 :]]
    return " ".join(words)


def rows(values_text, schema):
    """(path, default, meaning) of each value, in order of the file. Raises ValueError for one without a comment."""
    lines = values_text.splitlines()
    found = []

    def walk(node, parent_schema, prefix):
        for key, value in node.value:
            path = f"{prefix}{key.value}"
            sub_schema = resolve(parent_schema["properties"][key.value], schema)
            if is_section(value, sub_schema):
                walk(value, sub_schema, path + ".")
                continue
            meaning = comment_above(lines, key.start_mark.line)
            if not meaning:
                raise ValueError(f"values.yaml:{key.start_mark.line + 1}: {path} has no comment that begins with '# -- '")
            default = yaml.SafeLoader("").construct_document(value)
            found.append((path, default, meaning))

    walk(yaml.compose(values_text), schema, "")
    return found


def table(found):
    out = ["| value | default | meaning |", "|---|---|---|"]
    for path, default, meaning in found:
        shown = f"`{json.dumps(default)}`".replace("|", "\\|")
        out.append(f"| `{path}` | {shown} | {meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(out)


def with_table(readme, text):
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def with_policy(schema, policy):
    """The chart's schema with the policy's in it, under names that begin with accessPolicy."""
    text = re.sub(r"#/definitions/(\w)", lambda match: "#/definitions/accessPolicy" + match[1].upper(), json.dumps(policy))
    policy = json.loads(text)
    for name, definition in policy["definitions"].items():
        schema["definitions"]["accessPolicy" + name[0].upper() + name[1:]] = definition
    # Empty by default, so nothing is required here; the templates want `subscribers` in any other.
    keep = ("description", "type", "additionalProperties", "properties")
    schema["properties"]["accessPolicy"]["properties"]["policy"] = {key: policy[key] for key in keep}
    return schema


def flags(help_text):
    """files/flags.yaml of the flags that `refund-relay --help` tells."""
    found = re.findall(r"^  --([a-z0-9_]+)=.*\n((?:      .*\n)+)", help_text, re.MULTILINE)
    if not found:
        raise ValueError("`refund-relay --help` tells no flag in the form that generated.py reads")
    return FLAGS_HEAD + "".join(f"{name}: {'boolean' if 'Give true or false.' in text else 'value'}\n" for name, text in found)


def help_of_server():
    server = BIN / "refund-relay"
    if not server.exists():
        raise SystemExit(f"{server} is missing: run ./dev chart, which builds it, or name the folder of another build by REFUND_RELAY_BIN")
    return subprocess.run([server, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout


def generated():
    """Path and content of each file that follows from others."""
    schema_path, readme_path = CHART / "values.schema.json", CHART / "README.md"
    schema = with_policy(json.loads(schema_path.read_text()), json.loads(POLICY_SCHEMA.read_text()))
    readme = with_table(readme_path.read_text(), table(rows((CHART / "values.yaml").read_text(), schema)))
    return {
        schema_path: json.dumps(schema, indent=2) + "\n",
        readme_path: readme,
        CHART / "files" / "flags.yaml": flags(help_of_server()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if something is stale")
    check = parser.parse_args().check
    files = generated()
    stale = [path for path, content in files.items() if not path.exists() or path.read_text() != content]
    for path in stale:
        if check:
            print(f"{path} is stale: run ./dev chart --write", file=sys.stderr)
        else:
            path.write_text(files[path])
            print(f"wrote {path}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
