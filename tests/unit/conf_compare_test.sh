#!/bin/sh
# Compares what qsh and qshd read out of configurations with what the installed ssh and sshd do:
# every keyword that both print has to have the same value.
set -u
show=${CONF_SHOW:-tests/unit/conf_show}
sshd=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v sshd)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
# a file each, as cases run in subshells of pipes
: > "$tmp/compared"
: > "$tmp/failed"

# Keywords that are said differently on purpose: identityfile is printed with ~ and tokens
# expanded; pidfile is the daemon's own; lists of algorithms are printed as they are written.
differ='identityfile|pidfile|pubkeyacceptedalgorithms'

# common THEIRS OURS: the lines of THEIRS and of OURS whose keywords are in both
common()
{
	for f in "$1" "$2"; do
		sed -E "/^($differ)( |$)/d; s/[[:space:]]+$//" "$f" | sort > "$f.s"
		cut -d' ' -f1 < "$f.s" | sort -u > "$f.k"
	done
	comm -12 "$1.k" "$2.k" > "$tmp/keys"
	for f in "$1" "$2"; do
		awk 'NR == FNR { k[$1] = 1; next } $1 in k' "$tmp/keys" "$f.s" > "$f.c"
	done
}

# verdict NAME THEIR_STATUS OUR_STATUS
verdict()
{
	echo "$1" >> "$tmp/compared"
	if [ "$2" -ne 0 ] || [ "$3" -ne 0 ]; then
		if [ "$2" -eq 0 ] || [ "$3" -eq 0 ]; then
			echo "$1: exit status $2 of theirs, $3 of ours" >&2
			cat "$tmp/theirs.err" "$tmp/ours.err" >&2
			echo "$1" >> "$tmp/failed"
		fi
		return
	fi
	common "$tmp/theirs" "$tmp/ours"
	if [ "$(wc -l < "$tmp/keys")" -lt 20 ]; then
		echo "$1: fewer than 20 keywords in common" >&2
		echo "$1" >> "$tmp/failed"
	fi
	if ! diff -u "$tmp/theirs.c" "$tmp/ours.c" >&2; then
		echo "$1: differs" >&2
		echo "$1" >> "$tmp/failed"
	fi
}

# client NAME HOST [-o K=V]... < configuration
client()
{
	name=$1 host=$2
	shift 2
	cat > "$tmp/config"
	ssh -G -F "$tmp/config" "$@" "$host" > "$tmp/theirs" 2> "$tmp/theirs.err"
	theirs=$?
	"$show" client "$tmp/config" "$host" "$@" > "$tmp/ours" 2> "$tmp/ours.err"
	verdict "client: $name" $theirs $?
}

# server NAME CONNECTION(key=value, separated by commas, may be empty) [-o K=V]... < configuration
server()
{
	name=$1 connection=$2
	shift 2
	cat > "$tmp/server_config"
	"$sshd" -T -f "$tmp/server_config" ${connection:+-C "$connection"} "$@" \
	    -o "HostKey=$tmp/key" > "$tmp/theirs" 2> "$tmp/theirs.err"
	theirs=$?
	# shellcheck disable=SC2046
	"$show" server "$tmp/server_config" $(echo "$connection" | tr , ' ') "$@" \
	    -o "HostKey=$tmp/key" > "$tmp/ours" 2> "$tmp/ours.err"
	verdict "server: $name" $theirs $?
}

client_cases()
{
	client empty host < /dev/null
	client 'system file' some.host < /etc/ssh/ssh_config
	client 'first value wins' a <<'EOF'
Host a
	Port 1
	User one
	ServerAliveInterval 1m
Host *
	Port 2
	User two
	HashKnownHosts yes
EOF
	for h in a.example b.example c.test; do
		client "patterns, $h" $h <<'EOF'
Host *.example !b.*
	Port 10
Host ?.test a.*
	User tester
Host !c.test
	Compression yes
Match host *.example,!a.example
	ConnectTimeout 5
Match originalhost c.test user root
	RequestTTY force
Match !host c.test
	EscapeChar none
EOF
	done
	client 'HostName and Match host' alias <<'EOF'
Host alias
	HostName %h.example.org
Match host alias.example.org
	Port 2022
Match originalhost alias
	User orig
Match host alias
	IdentitiesOnly yes
EOF
	client 'Match final' alias <<'EOF'
Match final host real.example
	Port 2022
	SendEnv FINAL
Match final all
	User last
Host alias
	HostName Real.Example
	SendEnv FIRST
Match host real.example
	VisualHostKey yes
EOF
	client 'Match canonical' alias <<'EOF'
CanonicalizeHostname yes
Match canonical
	User second
Match canonical host real.example
	Port 2022
Host alias
	HostName Real.Example
Match canonical all
	User last
EOF
	client 'Match exec' host <<'EOF'
Match exec "test %h = host -a %n = host -a %p = 22"
	Port 7
Match exec "test %h = other"
	User nobody
Match !exec false
	IdentitiesOnly yes
Match host other exec "exit 1"
	CheckHostIP yes
EOF
	client 'quotes, equals signs, comments' host <<'EOF'
  Port=2222   # not the usual one
User = "some one"
HostKeyAlias='single \' quote'
	SetEnv A="b c" D=e#f G=h=i	# comment
UserKnownHostsFile "/tmp/a b" '/tmp/c' ~/%h
# Port 1
BindAddress 127.0.0.1
EOF
	client 'lists' host <<'EOF'
SendEnv LANG LC_* XX
SendEnv -LC_*
SendEnv Y
SetEnv ONE=1 TWO=2
SetEnv THREE=3
UserKnownHostsFile /a /b
UserKnownHostsFile /c
GlobalKnownHostsFile /g
EOF
	for v in yes no ask accept-new; do
		echo "StrictHostKeyChecking $v" | client "StrictHostKeyChecking $v" host
	done
	for v in yes no force auto; do
		echo "RequestTTY $v" | client "RequestTTY $v" host
	done
	for v in yes no ask confirm 5m 'confirm 1h'; do
		echo "AddKeysToAgent $v" | client "AddKeysToAgent $v" host
	done
	for v in none '~' x '#'; do
		echo "EscapeChar $v" | client "EscapeChar $v" host
	done
	for v in 5 1m30s none; do
		echo "ConnectTimeout $v" | client "ConnectTimeout $v" host
	done
	for l in 'RemoteCommand echo "%h" %% $x ~' 'RemoteCommand none' 'IdentityAgent none' 'IdentityAgent SSH_AUTH_SOCK' \
	    'SessionType none' 'SessionType subsystem' 'StdinNull yes' 'PubkeyAuthentication no' \
	    'LogLevel DEBUG' 'LogLevel verbose' 'FingerprintHash md5' 'PreferredAuthentications publickey,password' \
	    'NumberOfPasswordPrompts 1' 'AddressFamily inet6' 'BindInterface lo' 'ServerAliveCountMax 7' 'IdentitiesOnly yes' \
	    'ProxyCommand nc %h %p' 'ProxyCommand none' 'ProxyJump none' 'ProxyJump bastion:22' 'TCPKeepAlive no' \
	    'IgnoreUnknown Foo*,Bar' 'PasswordAuthentication no' 'CanonicalizeHostname no' 'CanonicalizeHostname yes' 'CanonicalizeMaxDots 3' 'CanonicalDomains a.example b.example' \
	    'PubkeyAcceptedAlgorithms +ssh-rsa'; do
		echo "$l" | client "$l" host
	done
	printf 'ProxyJump bastion\nProxyCommand nc %%h\n' | client 'ProxyJump before ProxyCommand' host
	printf 'ProxyCommand nc %%h\nProxyJump bastion\n' | client 'ProxyCommand before ProxyJump' host
	printf 'Port 3\n' | client 'command line first' host -o Port=4 -o 'User x'
	printf 'IgnoreUnknown Foo*\nFooBar 1\nfoo x y\n' | client 'IgnoreUnknown' host
	printf 'Port 22\r\nUser x\r\n' | client 'carriage returns' host
	# refused by both
	for l in 'NoSuchOption yes' 'Port' 'Port 0x' 'Port 99999' 'BatchMode maybe' 'User "x' 'EscapeChar xy' 'Match' \
	    'Match nothing x' 'Match host' 'Match all host x' 'RequestTTY perhaps' 'ConnectTimeout soon' 'SetEnv X' \
	    'Port 1 2' 'FooBar 1' 'AddressFamily inet7' 'LogLevel LOUD' 'StrictHostKeyChecking asks'; do
		echo "$l" | client "refused: $l" host
	done
	printf 'Host other\n\tNoSuchOption 1\n' | client 'refused: unknown in a block that does not apply' host
	mkdir -p "$tmp/inc"
	printf 'Port 5\nHost other\nUser no\n' > "$tmp/inc/a.conf"
	printf 'Host host\nUser yes\n' > "$tmp/inc/b.conf"
	chmod 600 "$tmp"/inc/*
	printf 'Include %s/inc/*.conf\nIdentitiesOnly yes\nHost other\nInclude %s/inc/b.conf\nHost host\nInclude %s/inc/none*\nStdinNull yes\n' \
	    "$tmp" "$tmp" "$tmp" | client 'Include' host
}

server_cases()
{
	server empty '' < /dev/null
	server 'empty, of a connection' user=root,host=h,addr=192.0.2.1 < /dev/null
	server 'common keywords' '' <<'EOF'
Port 22
Port 2022
AddressFamily inet
ListenAddress 127.0.0.1
ListenAddress 127.0.0.2:99
PermitRootLogin no
AuthorizedKeysFile /etc/keys/%u .ssh/keys
AllowUsers a b@192.0.2.0/24
AllowUsers c
DenyUsers d
AllowGroups g1 g2
DenyGroups g3
MaxAuthTries 3
MaxSessions 2
MaxStartups 5:50:20
LoginGraceTime 1m30s
ClientAliveInterval 5m
ClientAliveCountMax 0
AcceptEnv LANG LC_*
AcceptEnv XX
SetEnv A=b C="d e"
SetEnv E=f
Banner /etc/issue.net
Subsystem sftp /usr/lib/openssh/sftp-server -l INFO
PermitUserEnvironment LANG,LC_*
StrictModes no
PrintMotd no
PrintLastLog no
PermitTTY no
PermitUserRC no
ExposeAuthInfo yes
UsePAM yes
LogLevel verbose
SyslogFacility LOCAL3
AuthenticationMethods publickey,password publickey,keyboard-interactive:pam
EOF
	printf 'PubkeyAuthentication no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n' |
	    server 'ways to log in' ''
	server 'first value wins' '' <<'EOF'
MaxSessions 1
MaxSessions 2
AuthorizedKeysFile a
AuthorizedKeysFile b c
Banner none
Banner /x
ForceCommand none
EOF
	server 'equals signs, quotes, comments' '' <<'EOF'
MaxSessions=4
Banner = "/etc/a banner"	# with a space
ForceCommand /bin/echo "a b" # kept
AllowUsers "some one" # comment
AcceptEnv 'X_*'
EOF
	for c in user=bob,host=h.example,addr=192.0.2.9,laddr=10.0.0.1,lport=22 \
	    user=ann,host=x.other,addr=2001:db8::1,laddr=::1,lport=2022 \
	    user=eve,host=192.0.2.200,addr=192.0.2.200,laddr=127.0.0.1,lport=99; do
		server "Match, $c" "$c" <<'EOF'
PermitTTY yes
MaxSessions 5
AcceptEnv OUTSIDE
AllowUsers bob ann
Match User bob,eve
	PermitTTY no
	AcceptEnv BOB
	AllowUsers inside
Match Address 192.0.2.0/25
	ForceCommand low
	AllowUsers second
Match Address 2001:db8::/32,!2001:db8::2
	ForceCommand six
Match Host *.example
	Banner /example
Match LocalPort 2022 User ann,!bob
	MaxAuthTries 1
Match LocalAddress 10.0.0.0/8
	X11Forwarding no
	MaxSessions 9
Match User !bob,*
	PermitRootLogin yes
Match all
	ClientAliveInterval 7
EOF
	done
	mkdir -p "$tmp/sinc"
	printf 'MaxSessions 3\nMatch User bob\nForceCommand bobs\n' > "$tmp/sinc/1.conf"
	printf 'PermitTTY no\nMatch User ann\nBanner /ann\n' > "$tmp/sinc/2.conf"
	for u in bob ann; do
		server "Include, $u" user=$u,host=h,addr=192.0.2.1 <<EOF
Include $tmp/sinc/1.conf
MaxSessions 4
MaxAuthTries 2
Match User ann
	Include $tmp/sinc/2*.conf
	MaxAuthTries 9
Match all
	PrintMotd yes
EOF
	done
	printf 'MaxAuthTries 3\nMatch User bob\n MaxAuthTries 4\n' |
	    server 'command line, outside blocks' user=ann,host=h,addr=192.0.2.1 -o MaxAuthTries=5
	printf 'MaxAuthTries 3\nMatch User bob\n MaxAuthTries 4\n' |
	    server 'command line, inside blocks' user=bob,host=h,addr=192.0.2.1 -o MaxAuthTries=5
	# refused by both
	for l in 'NoSuchOption yes' 'Port 99999' 'Port' 'MaxSessions x' 'PermitRootLogin maybe' 'Match' 'Match Nothing x' \
	    'Match User' 'Match all User x' 'Match Address 192.0.2.1/99' 'LoginGraceTime soon' 'MaxStartups 10:5' \
	    'MaxStartups 10:0:20' 'MaxStartups 10:30:5' 'Subsystem sftp' 'SetEnv X' 'AcceptEnv A=b' 'LogLevel LOUD' 'SyslogFacility NOWHERE' \
	    'AllowUsers "x' 'AllowUsers a@1.2.3.4/99' 'AuthenticationMethods nonsense' 'AuthenticationMethods any publickey' \
	    'PubkeyAuthentication 2' 'UsePAM' 'AddressFamily inet7' 'StrictModes yes no' 'ListenAddress [::1' 'AllowUsers'; do
		echo "$l" | server "refused: $l" ''
	done
	printf 'Match User x\n\tPort 23\n' | server 'refused: Port in a block' ''
	printf 'Match User x\n\tMaxSessions y\n' | server 'refused: bad value in a block' ''
}

if command -v ssh > /dev/null 2>&1; then
	client_cases
else
	echo "ssh is not installed: client configurations are not compared" >&2
fi
if [ -n "$sshd" ] && ssh-keygen -q -t ed25519 -N '' -f "$tmp/key"; then
	server_cases
else
	echo "sshd or ssh-keygen is not installed: server configurations are not compared" >&2
fi
test -s "$tmp/compared" || exit 77
echo "$(wc -l < "$tmp/compared") configurations compared, $(wc -l < "$tmp/failed") differ"
test ! -s "$tmp/failed"
