# shellcheck shell=bash
# The way in: two OpenSSH servers on loopback ports, the server and a bastion in front of
# it, with host keys, user keys, known_hosts and an ssh_config of their own. It owns
# DIR/ssh, DIR/ssh_config and DIR/known_hosts, and nothing of the caller's ~/.ssh.

SSH_KEY_PASSPHRASE='correct horse battery staple'

ssh_build() {
	mkdir -p "$RANGE_DIR/ssh"
	ssh_make_keys
	sshd_start sshd "$SSH_PORT"
	sshd_start bastion "$BASTION_PORT"
	ssh_write_known_hosts
	ssh_write_client_config
	chown "$SSH_USER" "$RANGE_DIR"/ssh{,/id_*,/authorized_keys} "$RANGE_DIR"/{ssh_config,known_hosts}
}

# Kept apart from ssh_build, which runs beside the rest.
ssh_name_files() {
	local dir=$RANGE_DIR/ssh
	env_add SSH_HOST 127.0.0.1 SSH_USER "$SSH_USER" \
		SSH_PORT "$SSH_PORT" BASTION_PORT "$BASTION_PORT" \
		SSH_CONFIG "$RANGE_DIR/ssh_config" KNOWN_HOSTS "$RANGE_DIR/known_hosts" \
		SSH_KEY "$dir/id_ed25519" SSH_KEY_ENCRYPTED "$dir/id_encrypted" \
		SSH_KEY_PASSPHRASE "$SSH_KEY_PASSPHRASE" AUTHORIZED_KEYS "$dir/authorized_keys" \
		SSHD_PID_FILE "$dir/sshd.pid" BASTION_PID_FILE "$dir/bastion.pid" \
		SSHD_CONFIG "$dir/sshd_config" BASTION_CONFIG "$dir/bastion_config" \
		SSHD_HOST_KEY "$dir/sshd_host_key" BASTION_HOST_KEY "$dir/bastion_host_key" \
		SSHD_LOG "$RANGE_DIR/run/sshd.log" BASTION_LOG "$RANGE_DIR/run/bastion.log"
}

ssh_make_keys() {
	local dir=$RANGE_DIR/ssh
	make_key "$dir/sshd_host_key" ''
	make_key "$dir/bastion_host_key" ''
	make_key "$dir/id_ed25519" ''
	make_key "$dir/id_encrypted" "$SSH_KEY_PASSPHRASE"
	cat "$dir"/id_*.pub >"$dir/authorized_keys"
}

make_key() {
	ssh-keygen -q -t ed25519 -N "$2" -C "pgoncall range" -f "$1" </dev/null ||
		range_die "ssh-keygen could not make $1"
}

# sshd_start NAME PORT: it wants its own absolute path and its separation directory.
sshd_start() {
	local name=$1 config=$RANGE_DIR/ssh/$1_config
	mkdir -p "$RANGE_DIR/ssh/home"
	[ -d /run/sshd ] || mkdir -m 0755 /run/sshd 2>/dev/null || true
	sshd_config "$name" "$2" >"$config"
	daemon_start "$name" "$(command -v sshd)" -D -e -f "$config"
	daemon_wait "$name" 5 port_is_open 127.0.0.1 "$2" ||
		range_die "the $name on port $2 did not answer: $(last_line "$RANGE_DIR/run/$name.log")"
}

# StrictModes would refuse keys under /tmp, which everybody may write to. A home of its own: what
# the account's shell reads at its start (~/.bashrc) may take any time, and may wait for locks.
sshd_config() {
	cat <<-CONF
		ListenAddress 127.0.0.1
		Port $2
		HostKey $RANGE_DIR/ssh/$1_host_key
		PidFile $RANGE_DIR/ssh/$1.pid
		AuthorizedKeysFile $RANGE_DIR/ssh/authorized_keys
		AllowUsers $SSH_USER
		StrictModes no
		UsePAM $(sshd_use_pam)
		PermitRootLogin prohibit-password
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		PermitUserRC no
		SetEnv HOME=$RANGE_DIR/ssh/home
		PrintMotd no
		PrintLastLog no
		ClientAliveInterval 15
		Subsystem sftp internal-sftp
	CONF
}

# Without PAM sshd turns away accounts whose password is locked with "!".
sshd_use_pam() {
	if [ "$EUID" = 0 ] && getent shadow "$SSH_USER" | grep -q '^[^:]*:!'; then
		echo yes
	else
		echo no
	fi
}

ssh_write_known_hosts() {
	{
		known_host "$SSH_PORT" sshd
		known_host "$BASTION_PORT" bastion
	} >"$RANGE_DIR/known_hosts"
}

known_host() {
	local type key
	read -r type key _ <"$RANGE_DIR/ssh/$2_host_key.pub"
	echo "[127.0.0.1]:$1 $type $key"
}

ssh_write_client_config() {
	{
		ssh_host server "$SSH_PORT" id_ed25519
		ssh_host bastion "$BASTION_PORT" id_ed25519
		ssh_host server-via-bastion "$SSH_PORT" id_ed25519
		echo "	ProxyJump bastion"
		ssh_host server-encrypted-key "$SSH_PORT" id_encrypted
	} >"$RANGE_DIR/ssh_config"
}

ssh_host() {
	cat <<-CONF
		Host $1
			HostName 127.0.0.1
			Port $2
			User $SSH_USER
			IdentityFile $RANGE_DIR/ssh/$3
			IdentitiesOnly yes
			IdentityAgent none
			UserKnownHostsFile $RANGE_DIR/known_hosts
			GlobalKnownHostsFile /dev/null
			StrictHostKeyChecking yes
			ControlPath none
	CONF
}

# ssh_answers HOST: a real login and a command, as the SSH user would.
ssh_answers() {
	as_user "$SSH_USER" ssh -F "$SSH_CONFIG" -o BatchMode=yes -o ConnectTimeout=5 "$1" true </dev/null
}

ssh_check() {
	local direct
	ssh_answers server &
	direct=$!
	ssh_answers server-via-bastion || range_die "ssh through the bastion did not work"
	wait "$direct" || range_die "ssh to the server did not work"
}
