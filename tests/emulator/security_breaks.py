"""For each security statement a script that breaks it on a droplet where all is well.

Each has the checks that must then fail (`number`, or `number|words of the statement`).
"""

from __future__ import annotations

__all__ = ["BREAKS", "INSTALLED", "LATER", "SERVED"]

from security_good import CALM

SERVED = {
    "debian-2.1.1": "autofs",
    "debian-2.1.2": "avahi-daemon",
    "debian-2.1.3": "isc-dhcp-server",
    "debian-2.1.4": "named",
    "debian-2.1.5": "dnsmasq",
    "debian-2.1.6": "vsftpd",
    "debian-2.1.7": "slapd",
    "debian-2.1.8": "dovecot",
    "debian-2.1.9": "nfs-server",
    "debian-2.1.10": "ypserv",
    "debian-2.1.11": "cups",
    "debian-2.1.12": "rpcbind",
    "debian-2.1.13": "rsync",
    "debian-2.1.14": "smbd",
    "debian-2.1.15": "snmpd",
    "debian-2.1.16": "tftpd-hpa",
    "debian-2.1.17": "squid",
    "debian-2.1.18": "nginx",
    "debian-2.1.19": "xinetd",
    "debian-3.1.3": "bluetooth",
    "debian-6.1.2.1.4": "systemd-journal-remote",
}
INSTALLED = {
    "debian-2.1.20": "xserver-common",
    "debian-2.2.1": "yp-tools",
    "debian-2.2.2": "rsh-client",
    "debian-2.2.3": "talk",
    "debian-2.2.4": "telnet",
    "debian-2.2.5": "ldap-utils",
    "debian-2.2.6": "ftp",
    "debian-1.5.4": "prelink",
    "debian-1.5.5": "apport",
    "debian-4.1.1": "ufw",
}
_MODES = {
    "docker-3.2": "/usr/lib/systemd/system/docker.service",
    "docker-3.4": "/usr/lib/systemd/system/docker.socket",
    "docker-3.6": "/etc/docker",
    "docker-3.16": "/run/docker.sock",
    "docker-3.18": "/etc/docker/daemon.json",
    "docker-3.20": "/etc/default/docker",
    "docker-3.24": "/run/containerd/containerd.sock",
    "debian-7.1.1": "/etc/passwd",
    "debian-7.1.2": "/etc/passwd-",
    "debian-7.1.3": "/etc/group",
    "debian-7.1.4": "/etc/group-",
    "debian-7.1.5": "/etc/shadow",
    "debian-7.1.6": "/etc/shadow-",
    "debian-7.1.7": "/etc/gshadow",
    "debian-7.1.8": "/etc/gshadow-",
    "debian-7.1.9": "/etc/shells",
    "debian-7.1.10": "/etc/security/opasswd",
    "debian-1.6.4": "/etc/motd",
    "debian-1.6.5": "/etc/issue",
    "debian-1.6.6": "/etc/issue.net",
    "debian-1.4.2": "/boot/grub/grub.cfg",
    "greenroom-6": "/var/lib/greenroom/key",
    "debian-2.4.1.2": "/etc/crontab",
    "debian-2.4.1.3": "/etc/cron.hourly",
    "debian-2.4.1.4": "/etc/cron.daily",
    "debian-2.4.1.5": "/etc/cron.weekly",
    "debian-2.4.1.6": "/etc/cron.monthly",
    "debian-2.4.1.7": "/etc/cron.d",
    "debian-6.1.1.2": "/var/log/journal",
    "debian-5.1.1": "/etc/ssh/sshd_config",
    "debian-7.2.9": "/home/deploy",
    "greenroom-8": "/home/deploy/.ssh/authorized_keys",
}
_OWNERS = {
    "docker-3.1": "/usr/lib/systemd/system/docker.service",
    "docker-3.3": "/usr/lib/systemd/system/docker.socket",
    "docker-3.5": "/etc/docker",
    "docker-3.15": "/run/docker.sock",
    "docker-3.17": "/etc/docker/daemon.json",
    "docker-3.19": "/etc/default/docker",
    "docker-3.23": "/run/containerd/containerd.sock",
}
_MODULES = [f"debian-1.1.1.{number}" for number in (1, 2, 3, 4, 5, 8, 9)] + [
    f"debian-3.2.{each}" for each in range(1, 5)
]
_KERNEL = ["debian-1.5.1", "debian-1.5.2", *(f"debian-3.3.{number}" for number in range(2, 12))]
_SSHD = """GSSAPIAuthentication yes
HostbasedAuthentication yes
IgnoreRhosts no
PermitEmptyPasswords yes
PermitUserEnvironment yes
UsePAM no
PasswordAuthentication yes
KbdInteractiveAuthentication yes
Banner none
Ciphers aes256-cbc
KexAlgorithms diffie-hellman-group14-sha1
MACs hmac-sha1
ClientAliveInterval 0
DisableForwarding no
AllowTcpForwarding yes
LoginGraceTime 0
LogLevel QUIET
MaxAuthTries 10
MaxSessions 50
MaxStartups 100:30:200
"""
_IN_SSHD = [
    *(f"debian-5.1.{number}" for number in (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22)),
    "greenroom-4|passwordauthentication",
    "greenroom-4|kbdinteractiveauthentication",
]
_STRAY = "docker run -d --entrypoint sleep"
BREAKS: list[tuple[str, str]] = [
    *((check, f"unit {name}.service; systemctl enable -q {name}.service") for check, name in SERVED.items()),
    *((check, f"package {name}") for check, name in INSTALLED.items()),
    *((check, f"chown 1:1 {path}") for check, path in _OWNERS.items()),
    (
        "docker-3.7 docker-3.8",
        "d=/etc/docker/certs.d/r.test; mkdir -p $d; echo x >$d/ca.crt; chown 1 $d/ca.crt; chmod 0666 $d/ca.crt",
    ),
    ("docker-1.1.2", "gpasswd -a daemon docker >/dev/null"),
    (
        "docker-4.1 docker-5.10 docker-5.11 docker-5.12 docker-5.13 docker-5.15 docker-5.16 docker-5.17 docker-5.21 docker-5.27 docker-5.29",
        f"{_STRAY} --name wild-1 --user 0 --network host --pid host --ipc host --uts host --restart always redis:7-alpine 1000",
    ),
    (
        "docker-5.4 docker-5.6 docker-5.20 docker-5.22 docker-5.26 docker-5.32",
        f"{_STRAY} --name wild-2 --cap-add SYS_PTRACE --security-opt seccomp=unconfined --security-opt no-new-privileges=false "
        "-v /etc:/host:rshared -v /run/docker.sock:/docker.sock redis:7-alpine 1000",
    ),
    (
        "docker-5.7 docker-5.8 docker-5.14 docker-5.18 docker-5.25 docker-5.30 docker-5.31",
        "docker run -d --name wild-3 --entrypoint sh --publish 81:81 --device /dev/null --userns host --cgroup-parent wild.slice "
        "redis:7-alpine -c 'cp /bin/sleep /tmp/sshd; exec /tmp/sshd 1000'",
    ),
    ("docker-5.5 docker-6.2", "docker create --name wild-4 --privileged redis:7-alpine"),
    ("greenroom-10", "docker tag redis:7-alpine other:1; docker create --name wild-5 other:1"),
    ("greenroom-1", "docker tag redis:7-alpine other; docker create --name wild-8 other"),
    (
        "greenroom-11|wild-9 docker-5.18|wild-9 docker-5.22|wild-9",
        """echo '{"defaultAction": "SCMP_ACT_ALLOW"}' >/root/open.json; docker create --name wild-9 --cap-add MKNOD """
        "--security-opt systempaths=unconfined --security-opt seccomp=/root/open.json --device-cgroup-rule 'b *:* rwm' "
        "redis:7-alpine",
    ),
    *(
        (
            f"{checked}|wild-{name}",
            f"docker volume create wild_{name} {options} >/dev/null; docker create --name wild-{name} -v wild_{name}:/x "
            "redis:7-alpine",
        )
        for checked, name, options in (
            ("docker-5.6", "rbind", "-o type=none -o o=rbind -o device=/"),
            ("docker-5.6", "disk", "-o type=ext4 -o device=/dev/vda1"),
            ("docker-5.32", "socket", "-o type=none -o o=bind -o device=/run/docker.sock"),
        )
    ),
    (
        "docker-5.6|wild-home docker-5.6|wild-link",
        "ln -s /etc /opt/link; docker create --name wild-home -v /home:/x redis:7-alpine; "
        "docker create --name wild-link -v /opt/link:/x redis:7-alpine",
    ),
    (
        "docker-4.10",
        "docker export calm | docker import -c 'ENV API_TOKEN=x' - leaky:1; docker create --name wild-6 leaky:1 true",
    ),
    ("docker-6.1", "for i in $(seq 24); do echo $i >/root/i; tar -C /root -c i | docker import - junk:$i; done"),
    (" ".join(_MODULES), "rm /etc/modprobe.d/good.conf"),
    ("debian-1.1.2.1.2 debian-1.1.2.1.3 debian-1.1.2.1.4", "mount -o remount,dev,suid,exec /tmp"),
    ("debian-1.1.2.2.2 debian-1.1.2.2.3 debian-1.1.2.2.4", "mount -o remount,dev,suid,exec /dev/shm"),
    ("debian-7.1.11", "mkdir /opt/open; chmod 0777 /opt/open; touch /opt/open/file; chmod 0666 /opt/open/file"),
    ("debian-7.1.12", "touch /opt/stray; chown 4242 /opt/stray"),
    ("debian-7.1.13", "cp /bin/true /opt/root; chmod 4755 /opt/root"),
    (
        "debian-2.1.21 debian-2.1.22",
        "systemd-run -q --unit=mail python3 -m http.server 25; until ss -Hltn | grep -q :25; do sleep 0.1; done",
    ),
    ("debian-2.4.1.1", "systemctl disable -q --now cron"),
    ("debian-2.4.1.8", "rm /etc/cron.allow"),
    ("debian-2.4.2.1", "rm /etc/at.allow"),
    ("debian-1.2.1.1", "mv /etc/apt/trusted.gpg.d /etc/apt/gone; mv /usr/share/keyrings /usr/share/gone"),
    ("debian-1.2.1.2", "echo 'deb [trusted=yes] http://apt.example.test x main' >/etc/apt/sources.list.d/x.list"),
    ("debian-1.2.2.1", "echo 'APT::Periodic::Unattended-Upgrade \"0\";' >/etc/apt/apt.conf.d/99bad"),
    ("greenroom-5", "sed -i /Blacklist/d /etc/apt/apt.conf.d/52good"),
    ("debian-1.5.3", "rm /etc/security/limits.d/good.conf"),
    ("debian-1.6.1 debian-1.6.2 debian-1.6.3", r"for f in motd issue issue.net; do echo '\s \m' >/etc/$f; done"),
    ("debian-6.1.1.1", "systemctl mask -q --runtime systemd-journald.service"),
    (
        "debian-6.1.1.3 debian-6.1.2.2 debian-6.1.2.3 debian-6.1.2.4",
        r"printf '[Journal]\nStorage=volatile\nCompress=no\nForwardToSyslog=yes\nSystemMaxUse=\n' >/etc/systemd/journald.conf.d/zz.conf",
    ),
    ("debian-6.1.1.4", "unit rsyslog.service; systemctl daemon-reload; systemctl start rsyslog"),
    (" ".join(f"{check}|written" for check in _KERNEL), "rm /etc/sysctl.d/60-good.conf"),
    (
        " ".join(f"{check}|in~force" for check in _KERNEL if check.startswith("debian-3")),
        "for c in all default; do for k in send_redirects accept_redirects secure_redirects accept_source_route; do "
        "sysctl -qw net.ipv4.conf.$c.$k=1; done; sysctl -qw net.ipv4.conf.$c.rp_filter=0; sysctl -qw net.ipv4.conf.$c.log_martians=0; "
        "sysctl -qw net.ipv6.conf.$c.accept_ra=1; done; sysctl -qw net.ipv4.tcp_syncookies=0; "
        "sysctl -qw net.ipv4.icmp_ignore_bogus_error_responses=0; sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0",
    ),
    ("debian-4.3.4 debian-4.3.5 debian-4.3.6 debian-4.3.7 debian-4.3.8 greenroom-7", "nft delete table inet greenroom"),
    ("debian-4.3.9", "systemctl disable -q nftables"),
    (" ".join(_IN_SSHD), f"cat >/etc/ssh/sshd_config.d/01-good.conf <<'X'\n{_SSHD}X"),
    (
        "debian-5.1.2 debian-5.1.3",
        "echo x >/etc/ssh/other_key; echo x >/etc/ssh/other_key.pub; chmod 0666 /etc/ssh/other_key*",
    ),
    (
        "debian-5.2.2 debian-5.2.3 debian-5.2.4 debian-5.2.5 debian-5.2.6",
        "sed -i /use_pty/d /etc/sudoers; "
        r"printf 'deploy ALL=(ALL) NOPASSWD: ALL\nDefaults !authenticate\nDefaults timestamp_timeout=60\n' >/etc/sudoers.d/good",
    ),
    ("debian-5.3.3.4.1", "sed -i 's/pam_unix.so/pam_unix.so nullok/' /etc/pam.d/common-auth"),
    ("debian-5.3.3.4.3", "sed -i 's/yescrypt/md5/' /etc/pam.d/common-password"),
    (
        "debian-5.4.1.1 debian-5.4.1.2 debian-5.4.1.3 debian-5.4.1.4 debian-5.4.3.3",
        "printf 'PASS_MAX_DAYS 9999\\nPASS_MIN_DAYS 0\\nPASS_WARN_AGE 0\\nENCRYPT_METHOD MD5\\nUMASK 022\\n' >>/etc/login.defs",
    ),
    ("debian-5.4.1.6", "chage -d 2090-01-01 deploy"),
    ("debian-5.4.2.1 debian-5.4.2.2 debian-7.2.5", "echo 'toor:x:0:0::/root:/bin/bash' >>/etc/passwd"),
    ("debian-5.4.2.3 debian-7.2.6", "echo 'wheel:x:0:' >>/etc/group"),
    ("debian-5.4.2.4", "usermod -p '$1$abcdefgh$0123456789012345678901' root"),
    ("debian-5.4.2.5 debian-5.4.2.6", "printf 'PATH=$PATH:/opt/open\\numask 000\\n' >/etc/profile.d/zz.sh"),
    ("debian-5.4.2.7 greenroom-9", "usermod -s /bin/bash daemon"),
    ("greenroom-13", "echo 'ssh-ed25519 AAAA stranger' >>~root/.ssh/authorized_keys"),
    ("debian-5.4.2.8", "usermod -p '$y$j9T$x$y' games"),
    ("debian-5.4.3.1", "echo /usr/sbin/nologin >>/etc/shells"),
    ("debian-5.4.3.2", "sed -i /TMOUT/d /etc/profile.d/good.sh"),
    ("debian-7.2.1 debian-7.2.3", "echo 'plain:abc:5001:5777::/:/usr/sbin/nologin' >>/etc/passwd"),
    ("debian-7.2.2", "useradd -M -s /usr/sbin/nologin vacant; passwd -qd vacant"),
    ("debian-7.2.4", "gpasswd -a daemon shadow >/dev/null"),
    ("debian-7.2.7", "echo 'games:x:5999:60::/:/usr/sbin/nologin' >>/etc/passwd"),
    ("debian-7.2.8", "echo 'games:x:5998:' >>/etc/group"),
    ("debian-7.2.10", "touch /home/deploy/.rhosts"),
    ("greenroom-2", f"docker rm -f calm; {CALM.format(more='')}"),
    # After what changes accounts: it writes their files anew.
    *((check, f"chmod o+rwx {path}") for check, path in _MODES.items()),
]
LATER: list[tuple[str, str]] = [
    (
        "docker-2.2 docker-2.3 docker-2.4 docker-2.8 docker-2.10 docker-2.14 docker-2.15 docker-2.17 docker-2.18 greenroom-3",
        'echo \'{"icc": true, "log-level": "debug", "iptables": false, "cgroup-parent": "wild.slice", '
        '"live-restore": false, "seccomp-profile": "unconfined", "experimental": true}\' >/etc/docker/daemon.json; '
        "systemctl restart docker; docker create --name wild-7 --network none redis:7-alpine",
    ),
    ("docker-5.1", "docker swarm init --advertise-addr 127.0.0.1"),
    ("debian-1.1.2.1.1", "umount -l /tmp"),
]
"""Broken after the others: they restart the engine, or take away what the others stand on."""
