#!/usr/bin/env bash
# Tests a daemon against its own OpenAPI document, with requests that Schemathesis makes up from it.
#
#     scripts/schemathesis.sh target/debug/callboard
#
# Needs Python 3 with venv. Schemathesis is installed into $CALLBOARD_CI_CACHE, or for this run alone. The daemon has a
# configuration and a database of its own, and no network. $SCHEMATHESIS_SEED gives other requests than usual, and
# $SCHEMATHESIS_EXAMPLES how many there are for each operation.
set -euo pipefail

version=4.32.5
examples=${SCHEMATHESIS_EXAMPLES:-40}
seed=${SCHEMATHESIS_SEED:-1}
seconds_max=900

binary=$(realpath "${1:?the path of the callboard binary is missing}")
work=$(mktemp -d)
daemon=
clean_up() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null && wait "$daemon" || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT

venv=${CALLBOARD_CI_CACHE:-$work}/schemathesis-$version
if [ ! -x "$venv/bin/st" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
fi

cat >"$work/entities.yaml" <<'YAML'
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: hire-app
  title: Hiring
  tags: [java, jobs]
  labels: { tier: '1' }
  annotations: { example.com/a.b: c }
  links: [{ url: https://example.com/hire-app, title: App }]
spec: { type: service, lifecycle: production, owner: team-people, system: hiring }
---
apiVersion: backstage.io/v1alpha1
kind: System
metadata: { name: hiring }
spec: { owner: team-people }
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: { name: team-people }
spec: { type: team, children: [] }
---
# Something for /errors.
apiVersion: backstage.io/v1alpha1
kind: Location
metadata: { name: broken }
spec: { type: file, target: ./broken.yaml }
YAML
echo 'metadata: [' >"$work/broken.yaml"
cat >"$work/app-config.yaml" <<YAML
backend:
  listen: 127.0.0.1:0
  database: { client: sqlite, connection: $work/catalog.db }
catalog:
  processingInterval: { hours: 1 }
  rules: [{ allow: [Component, API, Resource, System, Domain, User, Group, Location] }]
  locations: [{ type: file, target: $work/entities.yaml }]
YAML

log=$work/log
"$binary" serve --config "$work/app-config.yaml" >"$log" 2>&1 &
daemon=$!

fetch() {
    python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' "$address/api/catalog/$1" "$2"
}
address=
for _ in $(seq 300); do
    address=${address:-$(grep -o 'http://127\.0\.0\.1:[0-9]*' "$log" | head -1 || true)}
    if [ -n "$address" ] && fetch entities/by-name/group/default/team-people /dev/null 2>/dev/null; then
        break
    fi
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.1
done
if ! fetch openapi.json "$work/openapi.json"; then
    echo "the daemon does not serve:" >&2
    tail -40 "$log" >&2
    exit 1
fi

# The document as it is tested:
# - every status has to be documented by itself, and not as "any other error";
# - nobody waits for positions that are never reached, which are answered with 503;
# - examples do not lead out of this machine;
# - `fields` leaves out what entities have to have, so that answers to them are only compared without it.
python3 - "$work" <<'PYTHON'
import json
import pathlib
import sys

work = pathlib.Path(sys.argv[1])
text = (work / "openapi.json").read_text().replace("https://github.com/", "https://catalog.invalid/")
document = json.loads(text)
position = {"$ref": "#/components/parameters/callboard-min-position"}
operations = [operation for path in document["paths"].values() for operation in path.values()]
for operation in operations:
    del operation["responses"]["default"]
    if position in operation.get("parameters", []):
        operation["parameters"].remove(position)
(work / "with-fields.json").write_text(json.dumps(document))
for operation in operations:
    parameters = operation.get("parameters", [])
    parameters[:] = [parameter for parameter in parameters if parameter.get("name") != "fields"]
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        content["schema"].get("properties", {}).pop("fields", None)
        content.get("example", {}).pop("fields", None)
(work / "without-fields.json").write_text(json.dumps(document))
PYTHON

checks=not_a_server_error,status_code_conformance,content_type_conformance
run() {
    (cd "$work" && timeout "$seconds_max" "$venv/bin/st" --no-color run --url "$address" --workers 1 --seed "$seed" \
        --generation-database none --max-examples "$examples" \
        --suppress-health-check all --request-timeout 30 --warnings off "$@")
}

failed=0
run --checks "$checks,response_schema_conformance" without-fields.json || failed=1
run --checks "$checks" --include-operation-id GetEntities --include-operation-id GetEntitiesByQuery \
    --include-operation-id QueryEntitiesByPredicate --include-operation-id GetEntitiesByRefs with-fields.json || failed=1
if ! kill -0 "$daemon" 2>/dev/null; then
    echo "the daemon ended by itself" >&2
    failed=1
fi
if [ "$failed" -ne 0 ]; then
    echo "--- the end of the daemon's log" >&2
    tail -40 "$log" >&2
fi
exit "$failed"
