# Shared by tests/bench/run and tests/bench/cc: brings the peers, builds, enters the namespaces.
# Sourced after contrib/lib.sh.

# bench_start PROGRAM ARGUMENT...
bench_start() {
	_program=$1; shift
	if command -v apt-get >/dev/null 2>&1; then
		need $BUILD_DEBS libipsec-mb-dev openssh-server openssh-client mosh iperf3 rsync gnuplot-nox python3 iproute2 openssl
		need_peers ngtcp2-client ngtcp2-server
	else
		say "not Debian: taking the peers that are there"
	fi
	_dir=$top/build/bench
	if [ -z "${QSH_BENCH_BUILD:-}" ]; then
		build "$_dir" --prefix="$_dir/root" --sysconfdir="$_dir/root/etc" --runstatedir=/run --with-systemdsystemunitdir=no
	else
		_dir=$QSH_BENCH_BUILD       # a build tree that is there already
	fi
	(cd "$_dir" && quietly make -s install && quietly make -s tests/net/linkemu)
	_group=qsh-bench-$$
	_rc=0
	as_root unshare --mount --net --pid --fork --kill-child --mount-proc \
	    env QSH_PREFIX="$_dir/root" QSH_BUILD="$_dir" QSH_BENCH_GROUP="$_group" QSH_BENCH_OUT="$_dir/out" PYTHONDONTWRITEBYTECODE=1 \
	    "$(command -v python3)" "$top/tests/bench/$_program" "$@" || _rc=$?
	# The control groups that CPU time was taken from can go once their processes are gone.
	for _g in /sys/fs/cgroup/cpuacct/$_group /sys/fs/cgroup/$_group; do
		[ ! -d "$_g" ] || as_root rmdir "$_g/client" "$_g/server" "$_g" 2>/dev/null || :
	done
	return "$_rc"
}
