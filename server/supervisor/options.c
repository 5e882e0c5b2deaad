#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "server/conf/sconf.h"
#include "server/supervisor/options.h"

#define USAGE                                                                                  \
	"usage: qshd [-46DdeiqTtV] [-C name=value,...] [-E log_file] [-f config_file] "         \
	"[-h host_key_file] [-o option] [-p port]"

/* The daemon leaves its directory, and reads its files again later. */
static int
absolute(char **out, const char *path)
{
	char *cwd = NULL;

	free(*out);
	if (path[0] == '/') {
		*out = strdup(path);
	} else {
		cwd = getcwd(NULL, 0);
		*out = str_printf("%s/%s", cwd != NULL ? cwd : "", path);
	}
	free(cwd);
	return *out != NULL ? 0 : QERR_NOMEM;
}

static int
add_host_key(struct options *o, const char *path)
{
	char *full = NULL;
	int err = absolute(&full, path);

	if (err == 0)
		err = strlist_add(&o->host_keys, full);
	free(full);
	return err;
}

static int
add_port(struct options *o, const char *text)
{
	long long port;

	if (str_to_int(text, 1, 65535, &port) != 0) {
		log_error("-p %s: not a port number (1 to 65535)", text);
		return QERR_INVAL;
	}
	return strlist_add(&o->ports, text);
}

static int
add_specs(struct options *o, const char *text)
{
	int err = 0;

	while (err == 0 && *text != '\0') {
		size_t n = strcspn(text, ",");
		char *one = strndup(text, n);

		err = one != NULL ? strlist_add(&o->specs, one) : QERR_NOMEM;
		free(one);
		text += n + (text[n] == ',');
	}
	return err;
}

static int
take(struct options *o, int c, const char *arg)
{
	switch (c) {
	case '4':
		o->family = SCONF_AF_INET;
		return 0;
	case '6':
		o->family = SCONF_AF_INET6;
		return 0;
	case 'C':
		return add_specs(o, arg);
	case 'd':
		if (o->debug < OPTIONS_DEBUG_MAX)
			o->debug++;
		o->log_stderr = true;
		o->foreground = true;
		return 0;
	case 'D':
		o->foreground = true;
		return 0;
	case 'e':
		o->log_stderr = true;
		return 0;
	case 'E':
		return absolute(&o->log_file, arg);
	case 'f':
		return absolute(&o->config, arg);
	case 'h':
		return add_host_key(o, arg);
	case 'i':
		o->inetd = true;
		return 0;
	case 'o':
		return strlist_add(&o->overrides, arg);
	case 'p':
		return add_port(o, arg);
	case 'q':
		o->quiet = true;
		return 0;
	case 't':
		o->test = true;
		return 0;
	case 'T':
		o->dump = true;
		return 0;
	case 'V':
		o->version = true;
		return 0;
	default:
		return QERR_INVAL;
	}
}

int
options_parse(struct options *o, int argc, char **argv)
{
	int c, err = 0;

	memset(o, 0, sizeof(*o));
	o->family = -1;
	opterr = 0;
	while (err == 0 && (c = getopt(argc, argv, ":46C:DE:TVdef:h:io:p:qt")) != -1) {
		if (c == ':')
			log_error("option -%c needs an argument; " USAGE, optopt);
		else if (c == '?')
			log_error("option -%c is not known; " USAGE, optopt);
		err = take(o, c, optarg);
	}
	if (err == 0 && optind < argc) {
		log_error("extra argument %s; " USAGE, argv[optind]);
		err = QERR_INVAL;
	}
	return err;
}

void
options_free(struct options *o)
{
	free(o->log_file);
	free(o->config);
	strlist_free(&o->overrides);
	strlist_free(&o->ports);
	strlist_free(&o->host_keys);
	strlist_free(&o->specs);
	memset(o, 0, sizeof(*o));
}
