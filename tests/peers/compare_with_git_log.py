#!/usr/bin/env python3
"""Compares Keytrail's answers with what `git log` says, for random issue keys of any repository.

usage: compare_with_git_log.py KEYTRAIL REPOSITORY [--keys 200] [--seed 1]

KEYTRAIL is the program. A fresh data folder is used. The grammar of docs/issue-keys.md is written here a second time,
as a regular expression, so that a mistake in one of the two shows. Exit code 0: every answer is equal.
"""

import argparse
import collections
import json
import os
import random
import re
import subprocess
import sys
import tempfile

# Ref patterns that are indexed by default.
REFS = ["--branches", "--tags", "--glob=refs/pull/*/head", "--glob=refs/merge-requests/*/head"]
# A neighbour is no letter or digit of any script; [^\W_] is a letter or digit.
KEY = re.compile(r"(?<![^\W_])([A-Z][A-Z0-9_]{1,254})-([1-9][0-9]{0,17})(?![^\W_])")
MOST_BYTES, MOST_KEYS = 64 * 1024, 500


def keys_of(message):
    head = message.encode("utf-8")[:MOST_BYTES]
    # A number that the bound cuts in two is none: the text after it still counts as its neighbour.
    cut = len(head.decode("utf-8", "ignore"))
    found = []
    for match in KEY.finditer(message):
        if match.end() > cut:
            break
        key = f"{match[1]}-{match[2]}"
        if key not in found:
            found.append(key)
    return found[:MOST_KEYS]


def git_says(repository):
    """Each key and the set of commits that carry it, by `git log`."""
    command = ["git", "-C", repository, "-c", "i18n.logOutputEncoding=UTF-8", "-c", "log.showSignature=false",
               "log", *REFS, "-z", "--format=%H%n%B"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    says = collections.defaultdict(set)
    for record in output.split(b"\0"):
        sha, _, message = record.partition(b"\n")
        for key in keys_of(message.decode("utf-8", "replace")):
            says[key].add(sha.decode())
    return says


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("keytrail")
    arguments.add_argument("repository")
    arguments.add_argument("--keys", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    repository = os.path.abspath(given.repository)
    listed = subprocess.run(["git", "-C", repository, "for-each-ref", "--format=%(refname)"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.split("\n")
    wanted = re.compile(r"refs/(heads/|tags/|pull/.*/head$|merge-requests/.*/head$)")
    left_out = [name for name in listed if name and not wanted.match(name)]
    if left_out:
        print(f"left out on both sides: {len(left_out)} refs such as {left_out[0]}")

    with tempfile.TemporaryDirectory(prefix="keytrail-peers-") as folder:
        base = [given.keytrail, "--data", f"{folder}/data", "--root-key-file", f"{folder}/root.key"]
        subprocess.run([*base, "index", repository], check=True)
        server = subprocess.Popen([*base, "serve", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)
        try:
            server.stdout.readline()
            return compare(base, git_says(repository), given.keys, given.seed)
        finally:
            server.terminate()
            server.wait(15)


def compare(base, says, count, seed):
    everything = sorted(says)
    chosen = random.Random(seed).sample(everything, min(count, len(everything)))
    commits = different = 0
    for key in chosen:
        answer = subprocess.run([*base, "issue", "show", key, "--json"], check=True, stdout=subprocess.PIPE).stdout
        ours = {commit["sha"] for commit in json.loads(answer)["commits"]}
        commits += len(says[key])
        if ours != says[key]:
            different += 1
            print(f"{key}: git log has {sorted(says[key] - ours)[:3]} more, keytrail {sorted(ours - says[key])[:3]} more")
    print(f"{len(chosen)} of {len(everything)} keys compared, {commits} commits: {different} differ")
    return 1 if different or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
