/* One table a message, in the order of the struct. */
#include "common/base/err.h"
#include "common/wire/wire.h"
#include "server/ipc/field.h"
#include "server/ipc/msgs.h"

#define TEXT_MAX   (16 * 1024)
#define PATH_MAXB  4096         /* a path */
#define ENV_MAX    (WIRE_NAME_MAX + 1 + WIRE_ENV_MAX)
#define CONFIG_MAX (128 * 1024)
#define DGRAM_MAX  65535

#define MESSAGE(name, ...)                                                                         \
	static const struct field name##_table[] = {__VA_ARGS__};                                  \
	int smsg_put_##name(struct buf *b, const struct smsg_##name *m)                            \
	{                                                                                          \
		return fields_put(b, name##_table, sizeof(name##_table) / sizeof(struct field), m); \
	}                                                                                          \
	int smsg_get_##name(struct rd *r, struct smsg_##name *m)                                   \
	{                                                                                          \
		const size_t n = sizeof(name##_table) / sizeof(struct field);                      \
		int err = fields_get(r, name##_table, n, m, sizeof(*m));                           \
                                                                                                   \
		if (err == 0 && (err = rd_end(r)) != 0)                                            \
			fields_free(name##_table, n, m);                                           \
		return err;                                                                        \
	}                                                                                          \
	void smsg_free_##name(struct smsg_##name *m)                                               \
	{                                                                                          \
		fields_free(name##_table, sizeof(name##_table) / sizeof(struct field), m);         \
	}

/* clang-format off */
MESSAGE(addr, FIELD(addr, addr))
MESSAGE(path, FIELD(path, path))
MESSAGE(slot, FIELD(slot, slot))
MESSAGE(count, FIELD(count, count))
MESSAGE(reset_key, FIELD(reset_key, key))
MESSAGE(blob, FIELD_MAX(blob, data, TEXT_MAX))
MESSAGE(text, FIELD_MAX(text, text, TEXT_MAX))
MESSAGE(log, FIELD(log, level), FIELD_MAX(log, text, TEXT_MAX))
MESSAGE(end, FIELD(end, code), FIELD_MAX(end, reason, TEXT_MAX))
MESSAGE(limits,
	FIELD(limits, startups_begin),
	FIELD(limits, startups_rate),
	FIELD(limits, startups_full),
	FIELD(limits, unvalidated_max),
	FIELD(limits, unvalidated_ns),
	FIELD(limits, log_level))
MESSAGE(linit,
	FIELD(linit, route_key),
	FIELD(linit, slot_key),
	FIELD(linit, token_key),
	FIELD(linit, reset_key),
	FIELD(linit, server_id),
	FIELD_MAX(linit, chroot_dir, PATH_MAXB),
	FIELD(linit, uid),
	FIELD(linit, gid),
	FIELD(linit, orphan_ns),
	FIELD(linit, limits))
MESSAGE(dgram,
	FIELD(dgram, path),
	FIELD(dgram, ecn),
	FIELD_MAX(dgram, data, DGRAM_MAX))
MESSAGE(cids, {.kind = FIELD_CIDS, .off = 0, .min = 0, .max = SMSG_CIDS_MAX})
MESSAGE(admit,
	FIELD(admit, slot),
	FIELD(admit, path),
	FIELD(admit, odcid),
	FIELD(admit, retry_scid),
	FIELD(admit, client_scid),
	FIELD(admit, version),
	FIELD(admit, validated),
	FIELD(admit, steered),
	FIELD_MINMAX(admit, cids, 1, SMSG_CIDS_MAX))
MESSAGE(register,
	FIELD(register, version),
	FIELD(register, slot),
	FIELD(register, path),
	FIELD(register, authed),
	FIELD(register, steered))
MESSAGE(adopt,
	FIELD(adopt, slot),
	FIELD(adopt, path),
	FIELD(adopt, authed),
	FIELD(adopt, steered))
MESSAGE(minit,
	FIELD(minit, admit),
	FIELD_MAX(minit, host_sk, 64),
	FIELD_MAX(minit, config, CONFIG_MAX),
	FIELD(minit, user_mode),
	FIELD(minit, log_stderr),
	FIELD(minit, log_level),
	FIELD_MAX(minit, log_file, PATH_MAXB),
	FIELD_MAX(minit, account, WIRE_USER_MAX),
	FIELD_MAX(minit, run_dir, PATH_MAXB),
	FIELD(minit, debug))
MESSAGE(ninit,
	FIELD(ninit, admit),
	FIELD(ninit, host_pk),
	FIELD(ninit, grace_ns),
	FIELD(ninit, log_level),
	FIELD(ninit, max_auth_tries),
	FIELD_MAX(ninit, chroot_dir, PATH_MAXB),
	FIELD(ninit, uid),
	FIELD(ninit, gid),
	FIELD(ninit, cc),
	FIELD(ninit, buffer))
MESSAGE(auth,
	FIELD_MAX(auth, user, WIRE_USER_MAX),
	FIELD_MAX(auth, service, WIRE_NAME_MAX),
	FIELD_MAX(auth, method, WIRE_NAME_MAX),
	FIELD(auth, exporter),
	FIELD_MAX(auth, key, WIRE_KEY_MAX),
	FIELD(auth, has_sig),
	FIELD_MAX(auth, sig, WIRE_KEY_MAX))
MESSAGE(auth_result,
	FIELD(auth_result, code),
	FIELD_MAX(auth_result, methods, TEXT_MAX))
MESSAGE(session,
	FIELD(session, max_sessions),
	FIELD(session, alive_interval_ns),
	FIELD(session, alive_count),
	FIELD(session, connection_timeout_ns),
	FIELD(session, unused_ns),
	FIELD_MAX(session, channel_timeouts, WIRE_NAME_MAX),
	FIELD_MAX(session, user, WIRE_USER_MAX))
MESSAGE(pty, FIELD_MAX(pty, tty, PATH_MAXB))
MESSAGE(binit,
	FIELD_MAX(binit, user, WIRE_USER_MAX),
	FIELD_MAX(binit, home, PATH_MAXB),
	FIELD_MAX(binit, shell, PATH_MAXB),
	FIELD(binit, uid),
	FIELD(binit, path),
	FIELD_MAX(binit, env, ENV_MAX),
	FIELD_MAX(binit, accept_env, TEXT_MAX),
	FIELD_MAX(binit, set_env, ENV_MAX),
	FIELD_MAX(binit, subsystems, TEXT_MAX),
	FIELD_MAX(binit, force_command, WIRE_COMMAND_MAX),
	FIELD(binit, permit_tty),
	FIELD(binit, permit_user_rc),
	FIELD(binit, print_motd),
	FIELD(binit, print_lastlog),
	FIELD(binit, user_mode),
	FIELD(binit, use_pam_motd),
	FIELD(binit, strict_modes),
	FIELD(binit, max_sessions),
	FIELD_MAX(binit, auth_info, WIRE_KEY_MAX * 2),
	FIELD(binit, log_level))
MESSAGE(start,
	FIELD(start, chan),
	FIELD(start, kind),
	FIELD_MAX(start, command, WIRE_COMMAND_MAX),
	FIELD(start, has_pty),
	FIELD_MAX(start, term, WIRE_NAME_MAX),
	FIELD(start, cols),
	FIELD(start, rows),
	FIELD(start, xpixel),
	FIELD(start, ypixel),
	FIELD_MAX(start, modes, WIRE_MODES_MAX),
	FIELD_MAX(start, env, ENV_MAX))
MESSAGE(chan, FIELD(chan, chan))
MESSAGE(failed, FIELD(failed, chan), FIELD_MAX(failed, reason, TEXT_MAX))
MESSAGE(window,
	FIELD(window, chan),
	FIELD(window, cols),
	FIELD(window, rows),
	FIELD(window, xpixel),
	FIELD(window, ypixel))
MESSAGE(signal, FIELD(signal, chan), FIELD_MAX(signal, name, WIRE_NAME_MAX))
MESSAGE(exit,
	FIELD(exit, chan),
	FIELD(exit, status),
	FIELD_MAX(exit, signal, WIRE_NAME_MAX),
	FIELD(exit, core))
