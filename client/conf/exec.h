/* Running a command of Match exec. */
#ifndef QSH_CLIENT_CONF_EXEC_H
#define QSH_CLIENT_CONF_EXEC_H

/* Runs the command with the user's shell, without input and output, and waits. Its exit status;
 * -1 where it could not be run or died of a signal. */
int cconf_exec(const char *command);

#endif
