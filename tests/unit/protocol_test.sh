#!/bin/sh
# PROTOCOL.md names every message type, data kind and error code of the headers, with its number.
set -u
top=${srcdir:-.}
doc=$top/PROTOCOL.md
missing=0

need() { # what it is, number as written, name
	if ! grep -q "^| $2 | $3 |" "$doc"; then
		echo "PROTOCOL.md lacks the $1: | $2 | $3 |" >&2
		missing=1
	fi
}

sed -n '/^enum wire_type {/,/^};/s/^	WIRE_\([A-Z_]*\) = \(0x[0-9a-f]*\),.*/\1 \2/p' \
	"$top/common/wire/wire.h" >protocol_test.types
sed -n '/^enum tp_app_code {/,/^};/s/^	TP_\([A-Z_]*\) = \([0-9]*\),.*/\1 \2/p' \
	"$top/common/net/transport.h" >protocol_test.codes
trap 'rm -f protocol_test.types protocol_test.codes' EXIT
if [ "$(wc -l <protocol_test.types)" -lt 19 ] || [ "$(wc -l <protocol_test.codes)" -lt 12 ]; then
	echo "cannot read the numbers from wire.h and transport.h" >&2
	exit 1
fi
while read -r name number; do
	need "message type" "$number" "$name"
done <protocol_test.types
while read -r name number; do
	need "error code" "$number" "${name#E_}"
done <protocol_test.codes
exit $missing
