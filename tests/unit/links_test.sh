#!/bin/sh
# The roles that have privileges, or act as the user, link no transport and no TLS; the monitor and the
# broker no libcrypto either.
set -eu
command -v readelf >/dev/null || { echo "readelf is not installed (Debian: binutils)"; exit 77; }
bad=0
check() { # PROGRAM PATTERN
	[ -x "$1" ] || { echo "$1 is not built"; bad=1; return; }
	if readelf -d "$1" | grep NEEDED | grep -E "$2"; then
		echo "$1 must not need this"
		bad=1
	fi
}
check ./qshd-monitor 'ngtcp2|gnutls|IPSec_MB|libssl|libcrypto'
check ./qshd-broker 'ngtcp2|gnutls|IPSec_MB|libssl|libcrypto|libpam'
check ./qshd 'ngtcp2|gnutls|IPSec_MB|libssl'
exit $bad
