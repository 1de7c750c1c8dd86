/*
 * The program's entry: what holds for the whole process, and the command line.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>

#include <pgoncall/app/command.h>
#include <pgoncall/ssh/askpass.h>

int main(int argc, char **argv)
{
	int status;

	/* The system's ssh runs this program to ask a question. */
	if (askpass_is_meant())
		return askpass_main(argc, argv);
	setlocale(LC_CTYPE, "");
	/* A closed pipe is an error of write(2) here, not the end of the program. */
	signal(SIGPIPE, SIG_IGN);
	status = command_main(argc, argv);
	if (fflush(stdout) != 0 && status == EXIT_OK)
		status = EXIT_UNKNOWN;
	return status;
}
