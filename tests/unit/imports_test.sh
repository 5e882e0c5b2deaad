#!/bin/sh
# Imports point one way (ARCHITECTURE.md, Layout): checks every #include "..." line of the tree.
set -eu
top=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top"

# What the files of each folder may include, besides their own folder.
allowed() {
	case $1 in
	common/base) echo '' ;;
	common/ev | common/wire | common/conf | common/keys) echo 'common/base' ;;
	common/net) echo 'common/base common/ev' ;;
	common/ipc) echo 'common/base common/ev' ;;
	common/chan) echo 'common/base common/ev common/wire common/net' ;;
	quic | quic/user) echo 'common/base common/ev common/net quic quic/protect quic/user' ;;
	quic/protect) echo 'common/base' ;;
	server/ipc) echo 'common/base common/ev common/wire common/conf common/keys common/ipc common/net quic' ;;
	server/sandbox) echo 'common/base' ;;
	server/conf) echo 'common/base common/conf common/net' ;;
	server/supervisor | server/listener | server/monitor | server/net | server/broker)
		echo 'common/base common/ev common/wire common/conf common/keys common/ipc common/net common/chan
			quic server/ipc server/sandbox server/conf' ;;
	client/conf) echo 'common/base common/conf common/net' ;;
	client) echo 'common/base common/ev common/wire common/conf common/keys common/ipc common/net common/chan
			quic client/conf' ;;
	*) echo "NONE" ;;
	esac
}

bad=$(
	find common quic server client -name '*.[ch]' | while read -r file; do
		folder=$(dirname "$file")
		may=" $(allowed "$folder" | tr -s '[:space:]' ' ') $folder "
		grep -hoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]+"' "$file" | sed 's/.*"\(.*\)"/\1/' | while read -r inc; do
			[ "$inc" != config.h ] || continue
			case $may in
			*" $(dirname "$inc") "*) ;;
			*) echo "$file includes $inc" ;;
			esac
		done
	done
)
ev=$(grep -rlE '#include <event2?[/.]' common quic server client | grep -v '^common/ev/' || :)
[ -z "$ev" ] || bad="$bad
only common/ev may include libevent: $ev"
if [ -n "$bad" ]; then
	printf '%s\n' "$bad"
	exit 1
fi
