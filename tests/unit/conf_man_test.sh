#!/bin/sh
# Compares the manuals with the tables of options: every keyword is described, in the part that fits
# what is done with it, with its default, and marked where OpenSSH has none of that name; no other keyword is.
# The list of those that may not stand in a Match block is complete.
set -u
show=${CONF_SHOW:-tests/unit/conf_show}
top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
status=0

# "KEYWORD section" for each keyword that begins an entry; section: the .Sh or .Ss above it
entries()
{
	awk '
	/\\$/ { held = held substr($0, 1, length($0) - 1); next }
	{ line = held $0; held = "" }
	line ~ /^\.S[hs] / { section = substr(line, 5); next }
	line ~ /^\.It Cm / {
		n = split(line, w, /[ ]*Cm[ ]+/)
		for (i = 2; i <= n; i++) { sub(/[ ,]+$/, "", w[i]); print w[i] "\t" section }
	}' "$1"
}

# "KEYWORD default" for each entry that names one in the form ".Cm word ." or ".Pa words ."
defaults()
{
	awk '
	/^\.It Cm / { k = $3; d = "" ; next }
	/^(The default is|By default it is)$/ || / The default is$/ { want = 1; next }
	want { sub(/^\.(Cm|Pa) /, ""); sub(/ [.:,]$/, ""); print k "\t" $0; want = 0 }' "$1"
}

# same WHAT: the lists of what is said and what is meant are one
same()
{
	comm -3 "$tmp/said" "$tmp/meant" > "$tmp/differ"
	if [ -s "$tmp/differ" ]; then
		echo "$1, but not by both of manual and table:" $(cat "$tmp/differ") >&2
		status=1
	fi
}

# marks SIDE MANUAL NAME: the keywords that NAME does not have say so
marks()
{
	awk -v mark=".Pq not of $3" '
	/^\.It Cm / { k = $3; next }
	$0 == mark && k != "" { print k }
	{ k = "" }' "$top/man/$2" | sort > "$tmp/said"
	"$show" options "$1" | awk -F '\t' '$2 == "done" && $5 == "ours" { print $1 }' | sort > "$tmp/meant"
	same "$2: not of $3"
}

# nomatch: those that may not stand in a Match block are listed
nomatch()
{
	awk '/stand in a block:$/ { on = 1; next }
	on && /^\.It / { exit }
	on && /^\.Cm / { print $2 }' "$top/man/qshd_config.5" | sort > "$tmp/said"
	"$show" options server | awk -F '\t' '$2 == "done" && $6 != "match" { print $1 }' | sort > "$tmp/meant"
	same "qshd_config.5: not in a Match block"
}

# page SIDE MANUAL
page()
{
	man=$top/man/$2
	"$show" options "$1" > "$tmp/table" || exit 1
	entries "$man" > "$tmp/entries"
	defaults "$man" > "$tmp/defaults"
	awk -F '\t' -v man="$2" '
	BEGIN {
		place["done"] = place["later"] = place["refused"] = "DESCRIPTION"
		place["alias"] = "Other names"; place["passed"] = "Keywords that are passed over"
		place["off"] = "Forwarding"
	}
	FILENAME ~ /entries$/ {
		if ($1 in section) { print man ": " $1 " is described twice"; bad = 1 }
		section[$1] = $2; next
	}
	FILENAME ~ /defaults$/ { said[$1] = $2; next }
	{
		known[$1] = 1
		if (!($1 in section)) { print man ": " $1 " is missing"; bad = 1; next }
		if (section[$1] != place[$2]) {
			print man ": " $1 " is in " section[$1] ", not in " place[$2]; bad = 1
		}
		if ($2 == "done" && $3 != "-" && said[$1] != $3) {
			print man ": default of " $1 " is " $3 ", not " said[$1]; bad = 1
		}
	}
	END {
		for (k in section)
			if (!(k in known)) { print man ": " k " is no keyword"; bad = 1 }
		exit bad
	}' "$tmp/entries" "$tmp/defaults" "$tmp/table" >&2 || status=1
	if command -v mandoc > /dev/null 2>&1; then
		mandoc -T lint -W warning "$man" | grep -v 'outdated mandoc.db' > "$tmp/lint"
		if [ -s "$tmp/lint" ]; then
			cat "$tmp/lint" >&2
			status=1
		fi
	fi
}

# installed SIDE PAGE: every keyword of the installed manual of ssh or sshd is in our table
installed()
{
	gz=/usr/share/man/man5/$2.5.gz
	if [ ! -r "$gz" ]; then
		echo "$gz is not installed: its keywords are not looked for" >&2
		return
	fi
	gzip -dc "$gz" > "$tmp/theirs" || return
	"$show" options "$1" | cut -f1 | tr '[:upper:]' '[:lower:]' | sort > "$tmp/ours.k"
	entries "$tmp/theirs" | cut -f1 | grep '^[A-Z][A-Za-z0-9][A-Za-z0-9]' | tr '[:upper:]' '[:lower:]' | sort -u > "$tmp/theirs.k"
	if [ "$(wc -l < "$tmp/theirs.k")" -lt 50 ]; then
		echo "$gz: fewer than 50 keywords found" >&2
		status=1
	fi
	comm -13 "$tmp/ours.k" "$tmp/theirs.k" > "$tmp/missing"
	if [ -s "$tmp/missing" ]; then
		echo "$gz has keywords that we do not know:" $(cat "$tmp/missing") >&2
		status=1
	fi
}

page client qsh_config.5
page server qshd_config.5
marks client qsh_config.5 ssh
marks server qshd_config.5 sshd
nomatch
installed client ssh_config
installed server sshd_config
exit $status
