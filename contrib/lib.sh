# Shared by contrib/demo and contrib/check: brings what is needed, builds out of tree.
# Sourced; the caller has set top (the checkout) and runs under set -eu.

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		die "this needs root for: $* (run as root, or install sudo)"
	fi
}

# Runs quietly; what it printed is shown only if it fails.
quietly() {
	_log=$(mktemp "${TMPDIR:-/tmp}/qsh-log.XXXXXX")
	if "$@" </dev/null >"$_log" 2>&1; then
		rm -f "$_log"
	else
		_rc=$?
		tail -n 60 "$_log" >&2
		rm -f "$_log"
		die "failed: $*"
	fi
}

missing_debs() {
	for _p in "$@"; do
		dpkg-query -W -f '${Status}' "$_p" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$_p"
	done
}

apt_install() {
	quietly as_root env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -q --no-install-recommends "$@"
}

# ngtcp2 1.11: in Debian 13 as it is, in Debian 12 from backports. The mirror is the one that the
# sources of this machine name already; one file is added, none is changed.
need_ngtcp2() {
	pkg-config --atleast-version=1.11 libngtcp2 libngtcp2_crypto_gnutls 2>/dev/null && return 0
	_pkgs="libngtcp2-dev libngtcp2-crypto-gnutls-dev"
	_have=$(apt-cache policy libngtcp2-dev | awk '$1 == "Candidate:" { print $2 }')
	if [ -n "$_have" ] && dpkg --compare-versions "$_have" ge 1.11; then
		apt_install $_pkgs
		return 0
	fi
	_code=$(. /etc/os-release; echo "${VERSION_CODENAME:-}")
	[ "$_code" = bookworm ] ||
	    die "ngtcp2 >= 1.11 is neither installed nor in the package lists of this system ($_code)"
	if ! apt-get indextargets --format '$(RELEASE)' | grep -qx 'bookworm-backports'; then
		_uri=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		    awk '$1 == "bookworm" && $2 == "main" { print $3; exit }')
		[ -n "$_uri" ] || die "no apt source for bookworm main to take the mirror from"
		_file=/etc/apt/sources.list.d/qsh-backports.sources
		say "adding $_file (bookworm-backports from your mirror $_uri, for ngtcp2 1.11)"
		_key=/usr/share/keyrings/debian-archive-keyring.gpg
		{
			printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\n' "$_uri"
			[ ! -e "$_key" ] || printf 'Signed-By: %s\n' "$_key"
		} | as_root tee "$_file" >/dev/null
		quietly as_root apt-get update -q
	fi
	apt_install -t bookworm-backports $_pkgs
}

# What only some architectures have.
arch_debs() {
	case $(dpkg --print-architecture 2>/dev/null) in
	amd64) echo libipsec-mb-dev ;;
	esac
}

BUILD_DEBS="gcc make autoconf automake pkg-config libc6-dev libgnutls28-dev libevent-dev
	libsodium-dev libssl-dev libseccomp-dev libpam0g-dev openssh-client $(arch_debs)"
CHECK_DEBS="$BUILD_DEBS libcmocka-dev mandoc python3 clang libclang-rt-14-dev iproute2 openssh-server
	binutils bash xz-utils"

# need DEB...: installs those that are missing, and ngtcp2.
need() {
	command -v apt-get >/dev/null 2>&1 ||
	    die "this script knows Debian's packages only; on another system see README.md, Install"
	_miss=$(missing_debs "$@")
	_lib=
	pkg-config --atleast-version=1.11 libngtcp2 libngtcp2_crypto_gnutls 2>/dev/null || _lib=ngtcp2
	[ -n "$_miss$_lib" ] || return 0
	say "installing: $_miss$_lib"
	quietly as_root apt-get update -q
	[ -z "$_miss" ] || apt_install $_miss
	[ -z "$_lib" ] || need_ngtcp2
}

# Programs that come with ngtcp2, from where the library came from.
need_peers() {
	_miss=$(missing_debs "$@")
	[ -n "$_miss" ] || return 0
	say "installing: $_miss"
	if apt-get indextargets --format '$(RELEASE)' | grep -qx 'bookworm-backports'; then
		apt_install -t bookworm-backports $_miss
	else
		apt_install $_miss
	fi
}

# configured DIR CONFIGURE-ARGUMENT...: configures DIR where the arguments or configure are new.
configured() {
	_dir=$1; shift
	mkdir -p "$_dir"
	if [ ! -x "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ]; then
		(cd "$top" && quietly autoreconf -fi)
	fi
	if [ ! -e "$_dir/.arguments" ] || [ "$(cat "$_dir/.arguments")" != "$*" ] || [ "$top/configure" -nt "$_dir/config.status" ]; then
		(cd "$_dir" && quietly "$top/configure" -q "$@")
		printf '%s' "$*" >"$_dir/.arguments"
	fi
}

# build DIR CONFIGURE-ARGUMENT...: the same, and makes.
build() {
	configured "$@"
	(cd "$1" && quietly make -s -j"$(nproc 2>/dev/null || echo 2)")
}
