/* Every keyword of ssh_config(5) up to OpenSSH 10, and what qsh does with it. What is passed over
 * changes neither where a connection goes nor what is trusted. */
#include <stddef.h>

#include "client/conf/table.h"
#include "common/base/log.h"
#include "common/net/transport.h"

#define DO(n, t, field) \
	.name = (n), .what = CONF_DONE, .type = CONF_T_##t, .off = offsetof(struct cconf, field)
#define ALIAS(n, of) {.name = (n), .what = CONF_ALIAS, .alias = (of)}
#define PASS(n, why) {.name = (n), .what = CONF_PASSED, .note = (why)}

#define TCP_SSH "concerns ssh over TCP only"
#define NO_FORWARD "forwarding is not there yet"
#define NO_LOGIN "this way to log in is not there yet"
#define NO_CERT "certificates are not there yet"
#define NO_GSS "GSSAPI logins are not there"
#define NO_HARDWARE "hardware keys are not there yet"
#define NO_SHARING "connections are not shared"
#define NO_LOCAL "local commands are not there yet"
#define OBSOLETE "obsolete, without effect in ssh too"

#define DAY (24LL * 3600)
#define UINT_LIMIT 2147483647LL

static const struct conf_name family_names[] = {{"any", CCONF_AF_ANY}, {"inet", CCONF_AF_INET},
    {"inet6", CCONF_AF_INET6}, {NULL, 0}};
static const struct conf_name level_names[] = {{"QUIET", LOG_L_QUIET}, {"FATAL", LOG_L_FATAL},
    {"ERROR", LOG_L_ERROR}, {"INFO", LOG_L_INFO}, {"VERBOSE", LOG_L_VERBOSE},
    {"DEBUG", LOG_L_DEBUG1}, {"DEBUG1", LOG_L_DEBUG1}, {"DEBUG2", LOG_L_DEBUG2},
    {"DEBUG3", LOG_L_DEBUG3}, {NULL, 0}};
static const struct conf_name tty_names[] = {{"true", CCONF_TTY_YES}, {"yes", CCONF_TTY_YES},
    {"false", CCONF_TTY_NO}, {"no", CCONF_TTY_NO}, {"force", CCONF_TTY_FORCE},
    {"auto", CCONF_TTY_AUTO}, {NULL, 0}};
static const struct conf_name canonical_names[] = {{"false", CCONF_CANON_NO},
    {"true", CCONF_CANON_YES}, {"yes", CCONF_CANON_YES}, {"no", CCONF_CANON_NO},
    {"none", CCONF_CANON_NO}, {"always", CCONF_CANON_ALWAYS}, {NULL, 0}};
static const struct conf_name session_names[] = {{"none", CCONF_SESSION_NONE},
    {"subsystem", CCONF_SESSION_SUBSYSTEM}, {"default", CCONF_SESSION_DEFAULT}, {NULL, 0}};
static const struct conf_name strict_names[] = {{"true", CCONF_SHK_YES},
    {"false", CCONF_SHK_NO}, {"yes", CCONF_SHK_YES}, {"no", CCONF_SHK_NO},
    {"ask", CCONF_SHK_ASK}, {"off", CCONF_SHK_OFF}, {"accept-new", CCONF_SHK_ACCEPT_NEW},
    {NULL, 0}};

static const struct conf_name cc_names[] = {{"bbr", TP_CC_BBR}, {"cubic", TP_CC_CUBIC}, {NULL, 0}};

static const struct conf_opt options[] = {
    {.name = "Host", .what = CONF_DONE},
    {.name = "Match", .what = CONF_DONE},
    {.name = "Include", .what = CONF_DONE},

    /* ---- where to ---- */
    {DO("User", STRING, user)},
    {DO("Hostname", STRING, hostname)},
    {DO("Port", UINT, port), .min = 1, .max = 65535, .def = "22"},
    {DO("QuicPort", WORDS, quic_ports), .set = cconf_set_quic_port,
        .dump = cconf_dump_quic_port, .flags = CONF_F_OURS},
    {DO("TcpPort", UINT, tcp_port), .min = 1, .max = 65535, .def = "none",
        .flags = CONF_F_NONE | CONF_F_OURS},
    {DO("AddressFamily", ENUM, address_family), .names = family_names, .def = "any"},
    {DO("BindAddress", STRING, bind_address)},
    {DO("BindInterface", STRING, bind_interface)},
    {DO("ConnectTimeout", TIME_S, connect_timeout), .max = UINT_LIMIT, .def = "none",
        .flags = CONF_F_NONE},
    {DO("ConnectionTimeout", TIME_NS, connection_timeout_ns), .min = 1, .max = 3650 * DAY,
        .def = "7d", .flags = CONF_F_OURS},
    {DO("Migrate", BOOL, migrate), .def = "yes", .flags = CONF_F_OURS},
    {DO("CongestionControl", ENUM, congestion_control), .names = cc_names, .def = "bbr",
        .flags = CONF_F_OURS},
    {DO("ConnectionBuffer", SIZE, connection_buffer), .min = 1LL << 20, .max = 1LL << 30,
        .def = "64M", .flags = CONF_F_OURS},
    {DO("SendSNI", BOOL, send_sni), .def = "no", .flags = CONF_F_OURS},
    {DO("TokenFile", STRING, token_file), .def = "~/.ssh/qsh_tokens",
        .flags = CONF_F_NONE | CONF_F_OURS},
    {DO("ProxyCommand", REST, proxy_command), .flags = CONF_F_NONE | CONF_F_HIDE},
    {DO("ProxyUseFdpass", BOOL, proxy_fdpass), .def = "no"},
    {DO("ProxyJump", REST, proxy_jump), .flags = CONF_F_NONE | CONF_F_HIDE},
    {DO("RefuseConnection", REST, refuse_connection)},
    {DO("Tag", STRING, tag)},
    {DO("CanonicalizeHostname", ENUM, canonicalize), .names = canonical_names, .def = "no"},
    {DO("CanonicalizeMaxDots", UINT, canonical_max_dots), .max = 1000, .def = "1"},
    {DO("CanonicalDomains", WORDS, canonical_domains), .flags = CONF_F_NONE},
    {DO("CanonicalizePermittedCNAMEs", WORDS, canonical_cnames), .flags = CONF_F_NONE},

    /* ---- who it is: the host ---- */
    {DO("HostKeyAlias", STRING, host_key_alias)},
    {DO("StrictHostKeyChecking", ENUM, strict_host_key), .names = strict_names, .def = "ask"},
    {DO("UserKnownHostsFile", WORDS, user_known_hosts),
        .def = "~/.ssh/known_hosts ~/.ssh/known_hosts2", .flags = CONF_F_NONE},
    {DO("GlobalKnownHostsFile", WORDS, global_known_hosts),
        .def = QSH_SSHDIR "/ssh_known_hosts " QSH_SSHDIR "/ssh_known_hosts2",
        .flags = CONF_F_NONE},
    {DO("HashKnownHosts", BOOL, hash_known_hosts), .def = "no"},
    {DO("CheckHostIP", BOOL, check_host_ip), .def = "no"},
    {DO("VisualHostKey", BOOL, visual_host_key), .def = "no"},
    {DO("FingerprintHash", STRING, fingerprint_hash), .set = cconf_set_fingerprint,
        .dump = cconf_dump_fingerprint, .def = "sha256"},
    {DO("RevokedHostKeys", STRING, revoked_host_keys), .flags = CONF_F_NONE | CONF_F_HIDE},

    /* ---- who it is: the user ---- */
    {DO("IdentityFile", APPEND, identity_files),
        .flags = CONF_F_EACH | CONF_F_ONE | CONF_F_UNIQUE},
    {DO("IdentitiesOnly", BOOL, identities_only), .def = "no"},
    {DO("IdentityAgent", STRING, identity_agent)},
    {DO("AddKeysToAgent", STRING, add_keys_to_agent), .set = cconf_set_add_keys,
        .dump = cconf_dump_add_keys, .def = "no"},
    {DO("PubkeyAuthentication", BOOL, pubkey_auth), .set = cconf_set_pubkey,
        .dump = cconf_dump_pubkey, .def = "yes"},
    {DO("PubkeyAcceptedAlgorithms", STRING, pubkey_algs)},
    {DO("PreferredAuthentications", STRING, preferred_auth)},
    {DO("NumberOfPasswordPrompts", UINT, password_prompts), .max = 1000, .def = "3"},
    {DO("BatchMode", BOOL, batch_mode), .def = "no"},

    /* ---- the session ---- */
    {DO("RequestTTY", ENUM, request_tty), .names = tty_names, .def = "auto"},
    {DO("SessionType", ENUM, session_type), .names = session_names, .def = "default"},
    {DO("RemoteCommand", REST, remote_command), .flags = CONF_F_NONE | CONF_F_HIDE},
    {DO("SendEnv", APPEND, send_env), .set = cconf_set_send_env, .flags = CONF_F_EACH},
    {DO("SetEnv", WORDS, set_env), .set = cconf_set_set_env, .flags = CONF_F_EACH},
    {DO("EscapeChar", ENUM, escape_char), .set = cconf_set_escape, .dump = cconf_dump_escape,
        .def = "~"},
    {DO("StdinNull", BOOL, stdin_null), .def = "no"},
    {DO("ForkAfterAuthentication", BOOL, fork_after_auth), .def = "no"},
    {DO("ServerAliveInterval", TIME_S, server_alive_interval), .max = UINT_LIMIT, .def = "0"},
    {DO("ServerAliveCountMax", UINT, server_alive_count), .max = UINT_LIMIT, .def = "3"},
    {DO("LogLevel", ENUM, log_level), .names = level_names, .def = "INFO"},
    {DO("KeyLogFile", STRING, key_log_file), .flags = CONF_F_OURS | CONF_F_NONE | CONF_F_HIDE},
    {DO("QLogDirectory", STRING, qlog_dir), .flags = CONF_F_OURS | CONF_F_NONE | CONF_F_HIDE},
    {DO("IgnoreUnknown", STRING, ignore_unknown)},

    /* ---- other names ---- */
    ALIAS("DSAAuthentication", "PubkeyAuthentication"),
    ALIAS("ProtocolKeepAlives", "ServerAliveInterval"),
    ALIAS("SetupTimeOut", "ConnectTimeout"),
    ALIAS("IdentityFile2", "IdentityFile"),
    ALIAS("PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"),

    /* ---- known, without effect ---- */
    PASS("PasswordAuthentication", NO_LOGIN),
    PASS("KbdInteractiveAuthentication", NO_LOGIN),
    PASS("KbdInteractiveDevices", NO_LOGIN),
    PASS("ChallengeResponseAuthentication", NO_LOGIN),
    PASS("SkeyAuthentication", NO_LOGIN),
    PASS("TISAuthentication", NO_LOGIN),
    PASS("HostbasedAuthentication", NO_LOGIN),
    PASS("HostbasedAcceptedAlgorithms", NO_LOGIN),
    PASS("HostbasedKeyTypes", NO_LOGIN),
    PASS("EnableSSHKeysign", NO_LOGIN),
    PASS("GSSAPIAuthentication", NO_GSS),
    PASS("GSSAPIClientIdentity", NO_GSS),
    PASS("GSSAPIDelegateCredentials", NO_GSS),
    PASS("GSSAPIKexAlgorithms", NO_GSS),
    PASS("GSSAPIKeyExchange", NO_GSS),
    PASS("GSSAPIRenewalForcesRekey", NO_GSS),
    PASS("GSSAPIServerIdentity", NO_GSS),
    PASS("GSSAPITrustDns", NO_GSS),
    PASS("KerberosAuthentication", NO_GSS),
    PASS("KerberosTgtPassing", NO_GSS),
    PASS("AFSTokenPassing", NO_GSS),
    PASS("CASignatureAlgorithms", NO_CERT),
    PASS("CertificateFile", NO_CERT),
    PASS("PKCS11Provider", NO_HARDWARE),
    PASS("SmartcardDevice", NO_HARDWARE),
    PASS("SecurityKeyProvider", NO_HARDWARE),
    PASS("RequiredRSASize", "RSA keys are not there yet"),
    PASS("HostKeyAlgorithms", "host keys are Ed25519"),
    PASS("KnownHostsCommand", "only adds to the known hosts"),
    PASS("VerifyHostKeyDNS", "only adds to the known hosts"),
    PASS("UpdateHostKeys", "servers show no other host keys"),
    PASS("NoHostAuthenticationForLocalhost", "every host is checked"),

    PASS("ClearAllForwardings", NO_FORWARD),
    PASS("DynamicForward", NO_FORWARD),
    PASS("ExitOnForwardFailure", NO_FORWARD),
    PASS("ForwardAgent", NO_FORWARD),
    PASS("ForwardX11", NO_FORWARD),
    PASS("ForwardX11Timeout", NO_FORWARD),
    PASS("ForwardX11Trusted", NO_FORWARD),
    PASS("GatewayPorts", NO_FORWARD),
    PASS("LocalForward", NO_FORWARD),
    PASS("PermitRemoteOpen", NO_FORWARD),
    PASS("RemoteForward", NO_FORWARD),
    PASS("StreamLocalBindMask", NO_FORWARD),
    PASS("StreamLocalBindUnlink", NO_FORWARD),
    PASS("Tunnel", NO_FORWARD),
    PASS("TunnelDevice", NO_FORWARD),
    PASS("XAuthLocation", NO_FORWARD),

    PASS("CanonicalizeFallbackLocal", "concerns CanonicalizeHostname only"),
    PASS("ControlMaster", NO_SHARING),
    PASS("ControlPath", NO_SHARING),
    PASS("ControlPersist", NO_SHARING),
    PASS("LocalCommand", NO_LOCAL),
    PASS("PermitLocalCommand", NO_LOCAL),
    PASS("EnableEscapeCommandline", "there is no command line behind the escape character"),
    PASS("ChannelTimeout", "timeouts of channels are not there yet"),
    PASS("ObscureKeystrokeTiming", "keystrokes are sent as they come"),
    PASS("LogVerbose", "selects lines of ssh's own source"),
    PASS("SyslogFacility", "messages go to standard error"),

    PASS("Ciphers", TCP_SSH),
    PASS("Compression", TCP_SSH),
    PASS("ConnectionAttempts", TCP_SSH),
    PASS("IPQoS", TCP_SSH),
    PASS("KexAlgorithms", TCP_SSH),
    PASS("MACs", TCP_SSH),
    PASS("RekeyLimit", TCP_SSH),
    PASS("TCPKeepAlive", TCP_SSH),
    PASS("KeepAlive", TCP_SSH),
    PASS("VersionAddendum", TCP_SSH),
    PASS("WarnWeakCrypto", TCP_SSH),

    PASS("Cipher", OBSOLETE),
    PASS("CompressionLevel", OBSOLETE),
    PASS("FallBackToRsh", OBSOLETE),
    PASS("GlobalKnownHostsFile2", OBSOLETE),
    PASS("Protocol", OBSOLETE),
    PASS("RhostsAuthentication", OBSOLETE),
    PASS("RhostsRSAAuthentication", OBSOLETE),
    PASS("RSAAuthentication", OBSOLETE),
    PASS("UseBlacklistedKeys", OBSOLETE),
    PASS("UsePrivilegedPort", OBSOLETE),
    PASS("UseRoaming", OBSOLETE),
    PASS("UseRsh", OBSOLETE),
    PASS("UserKnownHostsFile2", OBSOLETE),
};

const struct conf_table cconf_table = {
    options, sizeof(options) / sizeof(options[0]), sizeof(struct cconf)};
