#!/bin/sh
# Makes a bare repository, whole, of a copy that lacks some objects: `benches/whole_copy.sh FROM TO`. Refs that lead to what is
# missing are left out and named; everything else is as it was, deltas and names included. For the bench `follow`, whose
# peer clones everything. Fetches nothing.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 FROM TO" >&2; exit 2; }
[ ! -e "$2" ] || { echo "$2 is there already" >&2; exit 2; }
from=$(cd "$1" && git rev-parse --absolute-git-dir)
export GIT_NO_LAZY_FETCH=1 GIT_NO_REPLACE_OBJECTS=1
git init --quiet --bare "$2"
to=$(cd "$2" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$from"
git for-each-ref --format='%(objectname) %(refname)' >"$work/refs"
git rev-list --objects --all --missing=print | sed -n 's/^?//p' >"$work/missing"
: >"$work/left_out"
if [ -s "$work/missing" ]; then
    # The commits that brought in what is missing, and the refs that lead to them.
    git log --all -m --raw -t --no-abbrev --no-renames --format='commit %H' |
        awk 'FILENAME == ARGV[1] { missing[$1]; next } /^commit/ { commit = $2 } /^:/ && $4 in missing { print "--contains", commit }' \
            "$work/missing" - | sort -u >"$work/commits"
    [ -s "$work/commits" ] || { echo "commits or folders are missing: this copy cannot be made whole" >&2; exit 1; }
    # shellcheck disable=SC2046
    git for-each-ref --format='%(refname)' $(cat "$work/commits") >"$work/left_out"
fi
echo "$from/objects" >"$to/objects/info/alternates"
awk 'FILENAME == ARGV[1] { left_out[$1]; next } !($2 in left_out) { print "create", $2, $1 }' "$work/left_out" "$work/refs" |
    git -C "$to" update-ref --stdin
git symbolic-ref --quiet HEAD | xargs -r git -C "$to" symbolic-ref HEAD
cd "$to"
git pack-refs --all
# Not `git repack`: it copies packs of partial clones as they are, too.
git pack-objects --quiet --all --delta-base-offset --write-bitmap-index objects/pack/pack </dev/null >/dev/null
rm objects/info/alternates
git rev-list --objects --all >/dev/null
echo "$to: $(wc -l <"$work/missing") objects missing, $(git for-each-ref | wc -l) refs, left out:"
cat "$work/left_out"
