"""What a droplet looks like when every security statement holds.

`GOOD` is put there by hand: which part of Greenroom would have written it does not matter to the statements.
"""

from __future__ import annotations

__all__ = ["CALM", "GOOD", "PACKAGE"]

CALM = (
    "docker run -d --name calm --label com.docker.compose.service=calm --label com.docker.compose.project=hello "
    "--network own --user 999:1000 --cap-drop ALL --security-opt no-new-privileges:true --pids-limit 64 "
    "--memory 128m --cpus 0.5 --restart on-failure:5 --volume calm_data:/data --publish 127.0.0.1:6390:6379 "
    "--health-cmd 'redis-cli ping' --health-interval 300ms {more} redis:7-alpine"
)
PACKAGE = """package() {
  d=$(mktemp -d); mkdir $d/DEBIAN; chmod 0755 $d
  printf 'Package: %s\\nVersion: 1\\nArchitecture: all\\nMaintainer: t <t@example.test>\\nDescription: t\\n' $1 >$d/DEBIAN/control
  dpkg-deb -b $d /root/$1.deb >/dev/null; dpkg -i --force-all /root/$1.deb >/dev/null 2>&1; rm -r $d /root/$1.deb
}
unit() { printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/$1; }
"""
GOOD = (
    PACKAGE
    + r"""
cloud-init status --wait >/dev/null || true
useradd --create-home --shell /bin/bash --groups docker deploy
chmod 0750 /home/deploy
install -d -m 0700 -o deploy /home/deploy/.ssh
install -m 0600 -o deploy ~root/.ssh/authorized_keys /home/deploy/.ssh/authorized_keys
install -d /var/lib/greenroom /boot/grub /etc/systemd/journald.conf.d
touch /etc/security/opasswd /boot/grub/grub.cfg /var/lib/greenroom/key
chmod 0600 /etc/security/opasswd /boot/grub/grub.cfg /var/lib/greenroom/key
for m in cramfs freevxfs hfs hfsplus jffs2 udf usb-storage dccp tipc rds sctp; do echo "install $m /bin/false"; done \
  >/etc/modprobe.d/good.conf
{
  echo kernel.randomize_va_space=2; echo kernel.yama.ptrace_scope=1; echo net.ipv4.tcp_syncookies=1
  echo net.ipv4.icmp_ignore_bogus_error_responses=1; echo net.ipv4.icmp_echo_ignore_broadcasts=1
  for c in all default; do
    for k in send_redirects accept_redirects secure_redirects accept_source_route; do echo net.ipv4.conf.$c.$k=0; done
    for k in rp_filter log_martians; do echo net.ipv4.conf.$c.$k=1; done
    for k in accept_redirects accept_source_route accept_ra; do echo net.ipv6.conf.$c.$k=0; done
  done
} >/etc/sysctl.d/60-good.conf
grep ^net /etc/sysctl.d/60-good.conf | while IFS='=' read -r key value; do sysctl -qw "$key=$value" || true; done
mount -o remount,nosuid,nodev,noexec /tmp
package unattended-upgrades; package at
for t in apt-daily apt-daily-upgrade; do systemctl unmask -q $t.timer; systemctl enable -q $t.timer; done
cat >/etc/apt/apt.conf.d/52good <<'X'
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Package-Blacklist { "^docker"; "^containerd"; "^runc$"; };
X
for f in cron at; do echo root >/etc/$f.allow; chmod 0600 /etc/$f.allow; done
chmod 0600 /etc/crontab; chmod 0700 /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /etc/cron.d
systemctl enable -q --now cron
echo '* hard core 0' >/etc/security/limits.d/good.conf
for f in motd issue issue.net; do echo 'Authorized users only.' >/etc/$f; done
printf '[Journal]\nStorage=persistent\nCompress=yes\nForwardToSyslog=no\nSystemMaxUse=64M\n' >/etc/systemd/journald.conf.d/zy.conf
cat >/etc/nftables.conf <<'X'
table inet greenroom {
  chain input { type filter hook input priority -10; policy drop;
    iifname "lo" accept; ip saddr 127.0.0.0/8 drop; ct state established,related accept; tcp dport { 22, 80, 443 } accept; }
  chain forward { type filter hook forward priority -10; policy drop; ct state established,related accept; iifname "br-*" accept; }
  chain output { type filter hook output priority -10; policy accept; }
}
X
nft -f /etc/nftables.conf; systemctl enable -q nftables
chmod 0600 /etc/ssh/sshd_config
cat >/etc/ssh/sshd_config.d/01-good.conf <<'X'
GSSAPIAuthentication no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowGroups root docker
Banner /etc/issue.net
Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com
KexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256
MACs hmac-sha2-512-etm@openssh.com
ClientAliveInterval 20
ClientAliveCountMax 2
DisableForwarding yes
LoginGraceTime 30
MaxAuthTries 3
MaxStartups 10:30:60
X
printf 'Defaults use_pty\nDefaults logfile="/var/log/sudo.log"\nDefaults timestamp_timeout=5\n' >/etc/sudoers.d/good
sed -i 's/ nullok//' /etc/pam.d/common-auth
sed -i -E 's/^PASS_MAX_DAYS.*/PASS_MAX_DAYS 365/; s/^PASS_MIN_DAYS.*/PASS_MIN_DAYS 1/' /etc/login.defs
echo 'UMASK 027' >>/etc/login.defs
printf 'umask 027\nreadonly TMOUT=900\nexport TMOUT\n' >/etc/profile.d/good.sh
until docker info >/dev/null 2>&1; do sleep 0.2; done
docker pull -q redis:7-alpine >/dev/null
docker network create own >/dev/null
"""
    + CALM.format(more="--read-only")
    + """ >/dev/null
until [ "$(docker inspect -f '{{.State.Health.Status}}' calm)" = healthy ]; do sleep 0.2; done
docker image inspect -f '{{.Id}}' redis:7-alpine
"""
)
