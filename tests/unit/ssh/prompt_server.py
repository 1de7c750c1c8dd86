#!/usr/bin/python3
"""An SSH server that asks what sshd never does: several questions in one request, with and without
echo, under a name and an instruction. It lets in whoever answers "red", "blue" and prints what it is
asked to echo. Arguments: the host key's file, and the file that gets the port it listens on."""
import os
import socket
import sys
import threading

import paramiko

QUESTIONS = (("Favourite colour: ", True), ("Other colour: ", False), ("Third: ", True))


class Door(paramiko.ServerInterface):
    def get_allowed_auths(self, username):
        return "keyboard-interactive"

    def check_auth_interactive(self, username, submethods):
        return paramiko.InteractiveQuery("Colours", "Answer all three.", *QUESTIONS)

    def check_auth_interactive_response(self, responses):
        if responses == ["red", "blue", ""]:
            return paramiko.AUTH_SUCCESSFUL
        return paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        threading.Thread(target=run, args=(channel, command), daemon=True).start()
        return True


def run(channel, command):
    channel.sendall(command[len(b"echo "):] + b"\n")
    channel.send_exit_status(0)
    channel.close()


def serve(connection, key):
    transport = paramiko.Transport(connection)
    transport.add_server_key(key)
    try:
        transport.start_server(server=Door())
    except (paramiko.SSHException, EOFError):
        pass


def main():
    key = paramiko.ECDSAKey.from_private_key_file(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0))
    with open(sys.argv[2] + ".new", "w") as file:
        print(listener.getsockname()[1], file=file)
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, key), daemon=True).start()


main()
