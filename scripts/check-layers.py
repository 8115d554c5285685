#!/usr/bin/env python3
"""Checks that the crates depend on each other as ARCHITECTURE.md says.

The tables in ARCHITECTURE.md are the rule; this script reads them, so that the page and the check cannot drift apart:

- "Crates": which crates of the workspace a crate may depend on. Dependencies of tests are free.
- "Confined": which outside crates may be used by which crates of the workspace alone.

Two further rules need the source text: only the binary's crate (and the benchmark, a program of its own) looks at the
process's environment, and nobody but the binary's crate names a concrete store. Python's standard library is enough.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURE = ROOT / "ARCHITECTURE.md"

# The crates that plugin authors compile against: whatever they pull in, every plugin pulls in.
LEAN_CRATES = ["model", "sdk"]
HEAVY_CRATES = {"sqlx", "sqlx-core", "axum", "hyper", "reqwest", "rustls"}

# What only some crates may mention, with those that may.
SOURCE_RULES = [
    (re.compile(r"\bstd::env\b(?!!)|\bstd::\{[^}]*\benv\b"), {"callboard", "bench"}, "reads the environment"),
    (
        re.compile(r"\bcallboard_store::(sqlite|postgres)\b|\b(Sqlite|Postgres)Store\b"),
        {"callboard", "store"},
        "names a concrete store",
    ),
    (re.compile(r"\bcallboard_store::memory\b|\bMemoryStore\b"), {"simulation", "store"}, "names the store of tests"),
]

NONE, ALL = "-", "all"


def table(heading: str) -> dict[str, str]:
    """The first and last column of the table below a heading of ARCHITECTURE.md."""
    section = re.search(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", ARCHITECTURE.read_text("utf-8"), re.M | re.S)
    if not section:
        sys.exit(f"ARCHITECTURE.md has no section '{heading}'")
    rows = [line.strip("| ").split("|") for line in section[1].splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("`") for cell in row] for row in rows[2:]]
    if not cells:
        sys.exit(f"ARCHITECTURE.md has no table in the section '{heading}'")
    return {row[0]: row[-1] for row in cells}


def names(cell: str) -> set[str]:
    return set() if cell == NONE else {name.strip().strip("`") for name in cell.split(",")}


def workspace() -> dict[str, dict]:
    """The packages of the workspace by the name of their folder."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--locked"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    return {Path(package["manifest_path"]).parent.name: package for package in metadata["packages"]}


def check_edges(packages: dict[str, dict]) -> list[str]:
    allowed, confined = table("Crates"), table("Confined")
    crates = {package["name"]: folder for folder, package in packages.items()}
    problems = [f"{folder} is missing in the table 'Crates'" for folder in packages.keys() - allowed.keys()]
    problems += [f"the table 'Crates' has {row}, which does not exist" for row in allowed.keys() - packages.keys()]
    for folder, package in packages.items():
        for dependency in package["dependencies"]:
            name = dependency["name"]
            if dependency["kind"] == "dev":
                continue
            if name in crates:
                row = allowed.get(folder, NONE)
                if row != ALL and crates[name] not in names(row):
                    problems.append(f"{folder} depends on {crates[name]}, which its row does not allow")
            elif name in confined and folder not in names(confined[name]):
                problems.append(f"{folder} depends on {name}, which is confined to {confined[name]}")
    return problems


def check_trees(packages: dict[str, dict]) -> list[str]:
    problems = []
    for folder in LEAN_CRATES:
        command = ["cargo", "tree", "--package", packages[folder]["name"], "--all-features", "--locked"]
        command += ["--edges", "normal,build", "--prefix", "none", "--format", "{p}"]
        tree = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        heavy = {line.split()[0] for line in tree.splitlines() if line} & HEAVY_CRATES
        problems += [f"{folder} pulls in {name}" for name in sorted(heavy)]
    return problems


def test_modules(sources: dict[Path, str]) -> set[Path]:
    """The files and folders of modules that only tests are built with."""
    modules = set()
    for path, text in sources.items():
        home = path.parent if path.stem in ("lib", "main") else path.with_suffix("")
        for name in re.findall(r"^\s*#\[cfg\(test\)\]\n\s*(?:pub(?:\(\w+\))? )?mod (\w+);", text, re.M):
            modules |= {home / f"{name}.rs", home / name}
    return modules


def check_sources() -> list[str]:
    problems = []
    sources = {path: path.read_text("utf-8") for path in sorted(ROOT.glob("crates/*/src/**/*.rs"))}
    skipped = test_modules(sources)
    for path, text in sources.items():
        if skipped.intersection([path, *path.parents]):
            continue
        relative = path.relative_to(ROOT)
        folder = relative.parts[1]
        # What a file has of unit tests in itself stands at its end.
        code = re.split(r"^#\[cfg\(test\)\]\nmod \w+ \{", text, flags=re.M)[0]
        for number, line in enumerate(code.splitlines(), 1):
            if line.lstrip().startswith("//"):
                continue
            for pattern, allowed, what in SOURCE_RULES:
                if folder not in allowed and pattern.search(line):
                    problems.append(f"{relative}:{number} {what}: {line.strip()}")
    return problems


def main() -> None:
    packages = workspace()
    problems = check_edges(packages) + check_trees(packages) + check_sources()
    for problem in problems:
        print(problem)
    if problems:
        sys.exit(1)
    print(f"{len(packages)} crates keep to their layers")


if __name__ == "__main__":
    main()
