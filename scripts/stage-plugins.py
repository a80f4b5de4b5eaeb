#!/usr/bin/env python3
"""Puts the built plugins beside the host: stage-plugins.py [--strip] PLUGINS BIN

For each PLUGINS/**/plugin.json with an "id" and a "library", BIN/plugins/<id>/ gets the library, a plugin.json that
holds the library's SHA-256 under "sha256", the "programs" and the folder that "dashboard" names, if any. What is already there and
equal is left alone; what an earlier run put there and no longer exists is removed; what others put there stays.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
LIBRARY = re.compile(r"[A-Za-z0-9_.-]+\.so")


class Problem(Exception):
    """A sentence for the person at the terminal."""


def read_manifests(root):
    """The manifests under root by id, as (path, manifest)."""
    found = {}
    for path in sorted(root.rglob("plugin.json")):
        where = path.relative_to(root.parent)
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Problem(f"{where} is not valid JSON: {error}") from error
        if not isinstance(manifest, dict):
            raise Problem(f"{where} is not a JSON object.")
        missing = [key for key in ("id", "library") if not manifest.get(key)]
        if missing:
            print(f"Warning: {where} has no {' and no '.join(missing)}; this plugin is left out.", file=sys.stderr)
            continue
        identifier, library = manifest["id"], manifest["library"]
        if not isinstance(identifier, str) or not ID.fullmatch(identifier):
            raise Problem(f"{where}: the id {identifier!r} is not a dotted name.")
        if not isinstance(library, str) or not LIBRARY.fullmatch(library):
            raise Problem(f"{where}: the library {library!r} is not the plain name of a .so file.")
        if identifier in found:
            raise Problem(f"{where}: the id {identifier} is already that of {found[identifier][0].relative_to(root.parent)}.")
        found[identifier] = (path, manifest)
    return found


def assemble(folder, path, manifest, binaries, strip):
    """Fills an empty folder with what the plugin consists of."""
    source = binaries / manifest["library"]
    if not source.is_file():
        raise Problem(f"{source.name} was not built, but {path.parent.name}/plugin.json names it.")
    folder.mkdir(parents=True)
    library = folder / source.name
    shutil.copyfile(source, library)
    if strip:
        subprocess.run(["strip", "--strip-unneeded", str(library)], check=True)
    # The host refuses what others may write to, whatever the umask of the one who builds.
    library.chmod(0o755)
    programs = []
    for name in manifest.get("programs", []):
        if not (binaries / name).is_file():
            raise Problem(f"{name} was not built, but {path.parent.name}/plugin.json names it.")
        programs.append(folder / name)
        shutil.copyfile(binaries / name, folder / name)
        if strip:
            subprocess.run(["strip", "--strip-unneeded", str(folder / name)], check=True)
    dashboard = manifest.get("dashboard")
    if isinstance(dashboard, str) and dashboard:
        pages = path.parent / dashboard
        if not pages.resolve().is_relative_to(path.parent.resolve()) or not pages.is_dir():
            raise Problem(f"{path.parent.name}/plugin.json names the dashboard folder {dashboard!r}, which is not there.")
        shutil.copytree(pages, folder / dashboard)
    manifest = {**manifest, "sha256": hashlib.sha256(library.read_bytes()).hexdigest()}
    staged = folder / "plugin.json"
    staged.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    staged.chmod(0o644)
    for item in [folder, *folder.rglob("*")]:
        item.chmod(0o755 if item.is_dir() or item == library or item in programs else 0o644)


def contents(folder):
    """What a folder holds, to compare two of them."""
    return {str(item.relative_to(folder)): item.read_bytes() for item in folder.rglob("*") if item.is_file()}


def replace(target, fresh, attic):
    """Swaps folders by renaming, so that nobody sees half a plugin and a running host keeps the file it has mapped."""
    if target.exists():
        target.rename(attic)
    fresh.rename(target)
    shutil.rmtree(attic, ignore_errors=True)


def stage(root, binaries, strip):
    manifests = read_manifests(root)
    plugins, work, record = binaries / "plugins", binaries / ".plugins-staging", binaries / ".plugins-staged.json"
    before = json.loads(record.read_text()) if record.is_file() else []
    shutil.rmtree(work, ignore_errors=True)
    plugins.mkdir(parents=True, exist_ok=True)
    changed = removed = 0
    try:
        for identifier, (path, manifest) in manifests.items():
            fresh, target = work / identifier, plugins / identifier
            assemble(fresh, path, manifest, binaries, strip)
            if target.is_dir() and contents(target) == contents(fresh):
                continue
            replace(target, fresh, work / (identifier + ".old"))
            changed += 1
        for identifier in before:
            if identifier not in manifests and (plugins / identifier).is_dir():
                shutil.rmtree(plugins / identifier)
                removed += 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    record.write_text(json.dumps(sorted(manifests)))
    print(f"Plugins: {len(manifests)} in place, {changed} of them new or changed, {removed} removed.")


def main():
    parser = argparse.ArgumentParser(description="Puts the built plugins beside the host.")
    parser.add_argument("--strip", action="store_true", help="take the symbols that only debuggers need out")
    parser.add_argument("plugins", type=Path, help="the folder with the plugins' sources")
    parser.add_argument("binaries", type=Path, help="the folder with the built host and libraries")
    options = parser.parse_args()
    try:
        stage(options.plugins.resolve(), options.binaries.resolve(), options.strip)
    except (Problem, OSError, ValueError, subprocess.CalledProcessError) as problem:
        sys.exit(f"Stopped: {problem}")


if __name__ == "__main__":
    main()
