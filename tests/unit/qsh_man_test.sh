#!/bin/sh
# qsh.1 names every flag and escape key of the source, and no other.
set -eu
top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
man=$top/man/qsh.1
rc=0

same() { # WHAT SOURCE MANUAL
	[ "$2" = "$3" ] && return
	echo "$1: the source has '$2', the manual '$3'"
	rc=1
}
letters() { sed 's/./&\n/g' | grep -v '^$' | LC_ALL=C sort -u | tr -d '\n'; }
# flags PATTERN: letters of the rows in options.c that match it.
flags() { grep -E "^	\{'.', (true|false), $1" "$top/client/options.c" | sed "s/^	{'\(.\)'.*/\1/" | tr -d '\n' | letters; }

later=$(flags 'on_later')
same 'flags' "$(flags 'on_([^l]|l[^a])')" "$(sed -n 's/^\.It Fl \(.\).*/\1/p' "$man" | tr -d '\n' | letters)"
same 'flags that are refused' "$later" "$(sed -n 's/^\.Pq Fl //p' "$man" | letters)"
same 'flags with an argument' \
    "$(grep -E "^	\{'.', true, on_([^l]|l[^a])" "$top/client/options.c" | sed "s/^	{'\(.\)'.*/\1/" | tr -d '\n' | letters)" \
    "$(sed -n 's/^\.It Fl \(.\) Ar .*/\1/p' "$man" | tr -d '\n' | letters)"
same 'flags in the synopsis' \
    "$(grep -E "^	\{'.', false, on_([^l]|l[^a])" "$top/client/options.c" | sed "s/^	{'\(.\)'.*/\1/" | tr -d '\n' | letters)" \
    "$(sed -n 's/^\.Op Fl \([^ ]*\)$/\1/p' "$man" | letters)"
same 'escape keys' \
    "$(sed -n 's/.*ESCAPE_[A-Z]*, "\([^"]*\)", .*/\1/p' "$top/client/escape.c" | tr -d '\n' | letters)" \
    "$(sed -n '/^\.Ss Escape keys/,/^\.Ss Silence/s/^\.It Cm //p' "$man" | sed 's/~~$//; s/[~ ,]//g' | tr -d '\n' | letters)"
exit $rc
