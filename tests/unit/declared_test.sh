#!/bin/sh
# Every test, simulation and fuzz target in the tree is in the Makefile: one that is not is never built, and nobody misses it.
set -u
top=${srcdir:-.}
missing=0

need() { # file, words of the Makefile's parts that declare it
	if ! cat "$top"/tests/local.am "$top"/tests/*/local.am "$top"/tests/unit/*.am | grep -q "$2"; then
		echo "$1 is in no part of the Makefile" >&2
		missing=1
	fi
}

for f in "$top"/tests/unit/*_test.c "$top"/tests/sim/*_sim.c "$top"/tests/fuzz/*_fuzz.c; do
	name=${f#"$top"/}
	variable=$(echo "${name%.c}" | tr / _)
	need "$name" "^ *${variable}_SOURCES *=.*\(%D%\|tests/[a-z]*\)/${name##*/}"
	need "$name" "\(%D%\|${name%/*}\)/$(basename "$name" .c)\([[:space:]]\|$\)"
done
for f in "$top"/tests/unit/*_test.sh "$top"/tests/system/*.py; do
	name=${f#"$top"/}
	need "$name" "\(%D%\|${name%/*}\)/${name##*/}\([[:space:]]\|$\)"
done
for f in "$top"/tests/fuzz/*_fuzz.c; do
	name=$(basename "$f" _fuzz.c)
	need "the seeds of $name" "tests/fuzz/seeds/$name\([[:space:]]\|$\)"
	if [ -z "$(ls "$top/tests/fuzz/seeds/$name" 2>/dev/null)" ]; then
		echo "tests/fuzz/seeds/$name: no seeds" >&2
		missing=1
	fi
done
exit $missing
