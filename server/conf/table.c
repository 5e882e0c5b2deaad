/* Every keyword of sshd_config(5) up to OpenSSH 10, what qshd does with it, and why. A keyword
 * that restricts is either obeyed or refuses the start; one that is passed over says here why
 * that takes nothing away. */
#include <stddef.h>
#include <sys/socket.h>
#include <syslog.h>

#include "common/base/log.h"
#include "common/net/transport.h"
#include "server/conf/table.h"

#define M CONF_F_MATCH
#define DO(n, t, field)                                                                        \
	.name = (n), .what = CONF_DONE, .type = CONF_T_##t, .off = offsetof(struct sconf, field)
#define ALIAS(n, of)                                                                           \
	{                                                                                      \
		.name = (n), .what = CONF_ALIAS, .alias = (of)                                 \
	}
/* known, without effect; f: flags */
#define PASS(n, f, why)                                                                        \
	{                                                                                      \
		.name = (n), .what = CONF_PASSED, .flags = (f), .note = (why)                  \
	}
#define FORWARD(n, f)                                                                          \
	{                                                                                      \
		.name = (n), .what = CONF_OFF, .flags = (f), .note = NO_FORWARD                \
	}
#define LOGIN(n, f)                                                                            \
	{                                                                                      \
		.name = (n), .what = CONF_LATER, .flags = (f),                                 \
		.note = "this way to log in is not offered yet"                                \
	}
/* refuses the start but for one harmless value */
#define REFUSE(n, f, ok, why)                                                                  \
	{                                                                                      \
		.name = (n), .what = CONF_REFUSED, .flags = (f), .harmless = (ok),             \
		.note = (why)                                                                  \
	}

#define TCP_SSH	     "concerns ssh over TCP only"
#define NO_FORWARD   "forwarding is not offered"
#define NO_CERT	     "certificates are not accepted yet"
#define NO_GSS	     "GSSAPI and Kerberos logins are not offered"
#define NO_HOSTBASED "host-based logins are not offered"
#define OBSOLETE     "obsolete, without effect in sshd too"

#define DAY	   (24LL * 3600)
#define UINT_LIMIT 2147483647LL

static const struct conf_name family_names[] = {
    {"any", SCONF_AF_ANY}, {"inet", SCONF_AF_INET}, {"inet6", SCONF_AF_INET6}, {NULL, 0}};
static const struct conf_name root_names[] = {
    {"without-password", SCONF_ROOT_PROHIBIT_PASSWORD},
    {"prohibit-password", SCONF_ROOT_PROHIBIT_PASSWORD},
    {"forced-commands-only", SCONF_ROOT_FORCED_COMMANDS}, {"yes", SCONF_ROOT_YES},
    {"no", SCONF_ROOT_NO}, {NULL, 0}};
static const struct conf_name level_names[] = {{"QUIET", LOG_L_QUIET}, {"FATAL", LOG_L_FATAL},
    {"ERROR", LOG_L_ERROR}, {"INFO", LOG_L_INFO}, {"VERBOSE", LOG_L_VERBOSE},
    {"DEBUG", LOG_L_DEBUG1}, {"DEBUG1", LOG_L_DEBUG1}, {"DEBUG2", LOG_L_DEBUG2},
    {"DEBUG3", LOG_L_DEBUG3}, {NULL, 0}};
static const struct conf_name facility_names[] = {{"AUTH", LOG_AUTH},
#ifdef LOG_AUTHPRIV
    {"AUTHPRIV", LOG_AUTHPRIV},
#endif
    {"DAEMON", LOG_DAEMON}, {"USER", LOG_USER}, {"LOCAL0", LOG_LOCAL0}, {"LOCAL1", LOG_LOCAL1},
    {"LOCAL2", LOG_LOCAL2}, {"LOCAL3", LOG_LOCAL3}, {"LOCAL4", LOG_LOCAL4},
    {"LOCAL5", LOG_LOCAL5}, {"LOCAL6", LOG_LOCAL6}, {"LOCAL7", LOG_LOCAL7}, {NULL, 0}};

static const struct conf_name cc_names[] = {{"bbr", TP_CC_BBR}, {"cubic", TP_CC_CUBIC}, {NULL, 0}};

static const struct conf_opt options[] = {
    {.name = "Include", .what = CONF_DONE, .flags = M},
    {.name = "Match", .what = CONF_DONE, .flags = M},

    /* ---- where and as what it runs ---- */
    {DO("Port", APPEND, ports), .set = sconf_set_port, .flags = CONF_F_EACH | CONF_F_UNIQUE},
    {DO("AddressFamily", ENUM, address_family), .names = family_names, .def = "any"},
    {DO("ListenAddress", APPEND, listen), .set = sconf_set_listen, .dump = sconf_dump_listen},
    {DO("TcpListenAddress", APPEND, tcp_listen), .set = sconf_set_tcp_listen,
	.flags = CONF_F_OURS | CONF_F_EACH},
    {DO("HostKey", APPEND, host_keys), .set = sconf_set_host_key, .flags = CONF_F_EACH},
    {DO("PidFile", STRING, pid_file), .flags = CONF_F_NONE},
    {DO("UnprivilegedUser", STRING, account), .def = QSH_ACCOUNT, .flags = CONF_F_OURS},
    /* not for Match: they are chosen before anything but the address is known */
    {DO("CongestionControl", ENUM, congestion_control), .names = cc_names, .def = "bbr",
	.flags = CONF_F_OURS},
    {DO("ConnectionBuffer", SIZE, connection_buffer), .min = 1LL << 20, .max = 1LL << 30,
	.def = "64M", .flags = CONF_F_OURS},
    {DO("LogLevel", ENUM, log_level), .names = level_names, .def = "INFO", .flags = M},
    {DO("SyslogFacility", ENUM, log_facility), .names = facility_names, .def = "AUTH"},
    {DO("KeyLogFile", STRING, key_log_file), .check = sconf_check_absolute,
	.flags = CONF_F_OURS | CONF_F_NONE | CONF_F_HIDE},
    {DO("QLogDirectory", STRING, qlog_dir), .check = sconf_check_absolute,
	.flags = CONF_F_OURS | CONF_F_NONE | CONF_F_HIDE},
    REFUSE("HostKeyAgent", 0, "none", "host keys in an agent are not supported yet"),
    PASS("HostCertificate", 0, "host certificates are not shown yet"),

    /* ---- who may log in ---- */
    {DO("AllowUsers", APPEND, allow_users), .check = sconf_check_user_pattern,
	.flags = M | CONF_F_EACH},
    {DO("DenyUsers", APPEND, deny_users), .check = sconf_check_user_pattern,
	.flags = M | CONF_F_EACH},
    {DO("AllowGroups", APPEND, allow_groups), .flags = M | CONF_F_EACH},
    {DO("DenyGroups", APPEND, deny_groups), .flags = M | CONF_F_EACH},
    {DO("PermitRootLogin", ENUM, permit_root_login), .names = root_names,
	.def = "prohibit-password", .flags = M},
    {DO("AuthenticationMethods", WORDS, auth_methods), .set = sconf_set_methods,
	.dump = sconf_dump_methods, .flags = M},
    {DO("PubkeyAuthentication", BOOL, pubkey_auth), .def = "yes", .flags = M},
    {DO("PubkeyAcceptedAlgorithms", STRING, pubkey_algs), .flags = M},
    {DO("AuthorizedKeysFile", WORDS, authorized_keys_files),
	.def = ".ssh/authorized_keys .ssh/authorized_keys2", .flags = M | CONF_F_NONE},
    {DO("StrictModes", BOOL, strict_modes), .def = "yes"},
    {DO("MaxAuthTries", UINT, max_auth_tries), .max = 1000, .def = "6", .flags = M},
    {DO("LoginGraceTime", TIME_NS, login_grace_ns), .max = 365 * DAY, .def = "2m"},
    {DO("MaxStartups", UINT, startups_begin), .set = sconf_set_startups,
	.dump = sconf_dump_startups, .def = "10:30:100"},
    {DO("UsePAM", BOOL, use_pam), .def = "no"},
    {DO("PAMServiceName", STRING, pam_service), .def = "sshd", .flags = M},
    {.name = "PasswordAuthentication",
	.what = CONF_LATER,
	.type = CONF_T_BOOL,
	.off = offsetof(struct sconf, password_auth),
	.def = "yes",
	.flags = M,
	.note = "logins by password are not offered yet"},
    {.name = "KbdInteractiveAuthentication",
	.what = CONF_LATER,
	.type = CONF_T_BOOL,
	.off = offsetof(struct sconf, kbdint_auth),
	.def = "yes",
	.flags = M,
	.note = "keyboard-interactive logins are not offered yet"},
    ALIAS("ChallengeResponseAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("SkeyAuthentication", "KbdInteractiveAuthentication"),
    ALIAS("DSAAuthentication", "PubkeyAuthentication"),
    ALIAS("PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"),
    ALIAS("HostDSAKey", "HostKey"),
    REFUSE("AuthorizedKeysCommand", M, "none", "keys come from AuthorizedKeysFile only"),
    PASS("AuthorizedKeysCommandUser", M, "without effect as AuthorizedKeysCommand is refused"),
    REFUSE("AuthorizedPrincipalsCommand", M, "none", NO_CERT),
    PASS("AuthorizedPrincipalsCommandUser", M,
	"without effect as AuthorizedPrincipalsCommand is refused"),
    REFUSE("AuthorizedPrincipalsFile", M, "none", NO_CERT),
    /* lets more keys in and keeps none out */
    PASS("TrustedUserCAKeys", M, NO_CERT),
    PASS("CASignatureAlgorithms", M, NO_CERT),
    REFUSE("RevokedKeys", M, "none", "lists of revoked keys are not obeyed yet"),
    /* both concern hardware keys alone; sshd lets other keys in all the same */
    PASS("PubkeyAuthOptions", M, "hardware keys are not accepted yet"),
    PASS("SecurityKeyProvider", 0, "hardware keys are not accepted yet"),
    PASS("RequiredRSASize", M, "RSA keys are not accepted yet"),
    PASS("RSAMinSize", M, "RSA keys are not accepted yet"),
    PASS("PermitEmptyPasswords", M, "logins by password are not offered yet"),
    REFUSE("RefuseConnection", M, "no", "refusing connections by Match is not supported yet"),
    REFUSE("PerSourceMaxStartups", 0, "none", "limits for one source are not supported yet"),
    REFUSE("PerSourcePenalties", 0, "no", "penalties for one source are not supported yet"),
    REFUSE("UseBlacklist", 0, "no", "reporting to blacklistd is not supported"),
    REFUSE("UseBlocklist", 0, "no", "reporting to blocklistd is not supported"),
    /* each only says how the first two count */
    PASS("PerSourceNetBlockSize", 0, "without effect as PerSourceMaxStartups is refused"),
    PASS("PerSourcePenaltyExemptList", 0, "without effect as PerSourcePenalties is refused"),
    LOGIN("GSSAPIAuthentication", M),
    LOGIN("GSSAPIKeyExchange", 0),
    PASS("GSSAPICleanupCredentials", 0, NO_GSS),
    PASS("GSSAPIDelegateCredentials", 0, NO_GSS),
    PASS("GSSAPIStrictAcceptorCheck", 0, NO_GSS),
    PASS("GSSAPIStoreCredentialsOnRekey", 0, NO_GSS),
    PASS("GSSAPIKexAlgorithms", 0, NO_GSS),
    PASS("GSSAPIUseSessionCredCache", 0, NO_GSS),
    PASS("GSSUseSessionCCache", 0, NO_GSS),
    PASS("GSSAPIEnablek5users", 0, NO_GSS),
    PASS("KerberosUseKuserok", M, NO_GSS),
    LOGIN("KerberosAuthentication", M),
    PASS("KerberosGetAFSToken", 0, NO_GSS),
    PASS("KerberosOrLocalPasswd", 0, NO_GSS),
    PASS("KerberosTicketCleanup", 0, NO_GSS),
    PASS("KerberosTgtPassing", 0, NO_GSS),
    PASS("AFSTokenPassing", 0, NO_GSS),
    LOGIN("HostbasedAuthentication", M),
    PASS("HostbasedAcceptedAlgorithms", M, NO_HOSTBASED),
    PASS("HostbasedAcceptedKeyTypes", M, NO_HOSTBASED),
    PASS("HostbasedUsesNameFromPacketOnly", M, NO_HOSTBASED),
    PASS("IgnoreRhosts", M, NO_HOSTBASED),
    PASS("IgnoreUserKnownHosts", 0, NO_HOSTBASED),
    LOGIN("RhostsAuthentication", 0),
    LOGIN("RhostsRSAAuthentication", M),
    LOGIN("RSAAuthentication", M),

    /* ---- what a session may do ---- */
    {DO("PermitTTY", BOOL, permit_tty), .def = "yes", .flags = M},
    {DO("ForceCommand", REST, force_command), .flags = M | CONF_F_NONE},
    {DO("AcceptEnv", APPEND, accept_env), .check = sconf_check_accept_env,
	.flags = M | CONF_F_EACH},
    {DO("SetEnv", WORDS, set_env), .set = sconf_set_env, .flags = M | CONF_F_EACH},
    {DO("PermitUserEnvironment", STRING, permit_user_env_patterns), .set = sconf_set_user_env,
	.dump = sconf_dump_user_env, .def = "no"},
    {DO("PermitUserRC", BOOL, permit_user_rc), .def = "yes", .flags = M},
    {DO("ExposeAuthInfo", BOOL, expose_auth_info), .def = "no", .flags = M},
    {DO("Subsystem", APPEND, subsystems), .set = sconf_set_subsystem,
	.flags = M | CONF_F_EACH | CONF_F_AGAIN},
    {DO("MaxSessions", UINT, max_sessions), .max = 100000, .def = "10", .flags = M},
    {DO("PrintMotd", BOOL, print_motd), .def = "yes"},
    {DO("PrintLastLog", BOOL, print_lastlog), .def = "yes"},
    {DO("Banner", STRING, banner), .flags = M | CONF_F_NONE},
    {DO("ClientAliveInterval", TIME_NS, client_alive_interval_ns), .max = 365 * DAY, .def = "0",
	.flags = M},
    {DO("ClientAliveCountMax", UINT, client_alive_count), .max = UINT_LIMIT, .def = "3",
	.flags = M},
    {DO("ConnectionTimeout", TIME_NS, connection_timeout_ns), .min = 1, .max = 3650 * DAY,
	.def = "7d", .flags = M | CONF_F_OURS},
    REFUSE("ChrootDirectory", M, "none", "changing the root directory is not supported yet"),
    {DO("ChannelTimeout", WORDS, channel_timeouts), .check = sconf_check_channel_timeout,
	.flags = M | CONF_F_NONE},
    {DO("UnusedConnectionTimeout", TIME_NS, unused_timeout_ns), .max = 3650 * DAY, .def = "none",
	.flags = M | CONF_F_NONE},
    REFUSE("RDomain", M, "none", "routing domains are not supported"),

    /* ---- forwarding: none of it is offered, so each of these counts as "no" ---- */
    FORWARD("AllowAgentForwarding", M),
    FORWARD("AllowStreamLocalForwarding", M),
    FORWARD("AllowTcpForwarding", M),
    FORWARD("PermitListen", M),
    FORWARD("PermitOpen", M),
    FORWARD("PermitTunnel", M),
    FORWARD("X11Forwarding", M),
    PASS("DisableForwarding", M, NO_FORWARD),
    PASS("GatewayPorts", M, NO_FORWARD),
    PASS("StreamLocalBindMask", M, NO_FORWARD),
    PASS("StreamLocalBindUnlink", M, NO_FORWARD),
    PASS("X11DisplayOffset", M, NO_FORWARD),
    PASS("X11MaxDisplays", M, NO_FORWARD),
    PASS("X11UseLocalhost", M, NO_FORWARD),
    PASS("XAuthLocation", 0, NO_FORWARD),

    /* ---- ssh over TCP ---- */
    PASS("Ciphers", 0, TCP_SSH),
    PASS("Compression", 0, TCP_SSH),
    PASS("DebianBanner", 0, TCP_SSH),
    PASS("FingerprintHash", 0, "fingerprints in the log are always SHA256"),
    PASS("HostKeyAlgorithms", 0, TCP_SSH),
    PASS("HPNBufferSize", 0, TCP_SSH),
    PASS("HPNDisabled", 0, TCP_SSH),
    PASS("IPQoS", M, TCP_SSH),
    PASS("KexAlgorithms", 0, TCP_SSH),
    PASS("LogVerbose", 0, "selects lines of sshd's own source"),
    PASS("MACs", 0, TCP_SSH),
    PASS("ModuliFile", 0, TCP_SSH),
    PASS("NoneEnabled", 0, TCP_SSH),
    PASS("RekeyLimit", M, TCP_SSH),
    PASS("SshdAuthPath", 0, TCP_SSH),
    PASS("SshdSessionPath", 0, TCP_SSH),
    PASS("TCPKeepAlive", 0, TCP_SSH),
    PASS("TcpRcvBufPoll", 0, TCP_SSH),
    PASS("KeepAlive", 0, TCP_SSH),
    /* see sconf_check: names that would have to be looked up are refused where they restrict */
    PASS("UseDNS", 0, "addresses are never looked up"),
    PASS("VersionAddendum", 0, TCP_SSH),

    /* ---- long gone from sshd ---- */
    PASS("AuthorizedKeysFile2", M, OBSOLETE),
    PASS("PermitBlacklistedKeys", 0, OBSOLETE),
    PASS("CheckMail", 0, OBSOLETE),
    PASS("KeyRegenerationInterval", 0, OBSOLETE),
    PASS("PAMAuthenticationViaKbdInt", 0, OBSOLETE),
    PASS("Protocol", 0, OBSOLETE),
    PASS("ReverseMappingCheck", 0, OBSOLETE),
    PASS("ServerKeyBits", 0, OBSOLETE),
    PASS("UseLogin", 0, OBSOLETE),
    PASS("UsePrivilegeSeparation", 0, OBSOLETE),
    PASS("VerifyReverseMapping", 0, OBSOLETE),
};

const struct conf_table sconf_table = {
    options, sizeof(options) / sizeof(options[0]), sizeof(struct sconf)};
