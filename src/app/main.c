/*
 * The program's entry: what holds for the whole process, and the command line.
 */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <pgoncall/app/command.h>
#include <pgoncall/ssh/askpass.h>

/* Passwords and passphrases are in this process's memory: it leaves no core, and no other process of
 * this user may look into it. What it starts leaves no core either. */
static void main_guard_memory(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* whose search for leaks traces this process */
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

int main(int argc, char **argv)
{
	int status;

	/* The system's ssh runs this program to ask a question. */
	if (askpass_is_meant())
		return askpass_main(argc, argv);
	main_guard_memory();
	setlocale(LC_CTYPE, "");
	/* A closed pipe is an error of write(2) here, not the end of the program. */
	signal(SIGPIPE, SIG_IGN);
	status = command_main(argc, argv);
	if (fflush(stdout) != 0) {
		if (errno != EPIPE)
			fprintf(stderr, "pgoncall: the output cannot be written: %s\n",
				strerror(errno));
		if (status == EXIT_OK)
			status = EXIT_UNKNOWN;
	}
	return status;
}
