#!/bin/sh
# qshd.8 and the usage line name every flag of the source, and no other.
set -eu
top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
man=$top/man/qshd.8 source=$top/server/supervisor/options.c
rc=0

same() { # WHAT SOURCE OTHER
	[ "$2" = "$3" ] && [ -n "$2" ] && return
	echo "$1: the source has '$2', not '$3'"
	rc=1
}
letters() { sed 's/./&\n/g' | grep -v '^$' | LC_ALL=C sort | tr -d '\n'; }

options=$(sed -n 's/.*getopt(argc, argv, ":\([^"]*\)".*/\1/p' "$source")
argument=$(printf '%s' "$options" | grep -o '.:' | tr -d ':\n' | letters)
plain=$(printf '%s' "$options" | sed 's/.://g' | letters)
# A macro of the usage over several lines, as one.
usage=$(sed -n '/^#define USAGE/,/[^\\]$/p' "$source" | tr -d '\n\t"\\')

same 'flags in the manual' "$(printf '%s' "$argument$plain" | letters)" \
    "$(sed -n 's/^\.It Fl \(.\).*/\1/p' "$man" | tr -d '\n' | letters)"
same 'flags with an argument in the manual' "$argument" "$(sed -n 's/^\.It Fl \(.\) Ar .*/\1/p' "$man" | tr -d '\n' | letters)"
same 'flags in the synopsis' "$plain" "$(sed -n 's/^\.Op Fl \([^ ]*\)$/\1/p' "$man" | letters)"
same 'flags with an argument in the synopsis' "$argument" "$(sed -n 's/^\.Op Fl \(.\) Ar.*/\1/p' "$man" | tr -d '\n' | letters)"
same 'flags in the usage' "$plain" "$(printf '%s' "$usage" | sed 's/.*qshd \[-\([^]]*\)\].*/\1/' | letters)"
same 'flags with an argument in the usage' "$argument" \
    "$(printf '%s' "$usage" | grep -o '\[-. ' | tr -d '[ \n-' | letters)"
# Each is acted upon.
same 'flags that do something' "$(printf '%s' "$argument$plain" | letters)" \
    "$(sed -n "s/^	case '\(.\)':$/\1/p" "$source" | tr -d '\n' | letters)"
exit $rc
