#!/bin/sh
# The yardstick of `scripts/bench`: the same deployment as a plain script over curl, ssh and docker compose.
# It makes what the program makes, in the order in which an engineer would type it, and remembers nothing.
#
#   deploy.sh DIRECTORY    DIRECTORY holds workload.env (the workload's env file), and receives keys, known_hosts and ids
#   Needs API, TOKEN, REPOSITORY, BRANCH, COMMIT, DOMAIN, ZONE, APP_USER, APP_DIRECTORY, COMPOSE_FILE in the environment.
set -eu
cd "$1"

api() { # METHOD PATH [BODY]
  curl -sSf -X "$1" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$API$2" ${3:+-d "$3"}
}
pick() { python3 -c 'import functools, json, sys; print(functools.reduce(lambda v, k: v[int(k) if k.isdigit() else k], sys.argv[1].split("."), json.load(sys.stdin)))' "$1"; }
made() { echo "$1" >>made; }

# Keys: one to log in with, one for the droplet to start with.
ssh-keygen -q -t ed25519 -N '' -C bench -f login
ssh-keygen -q -t ed25519 -N '' -C bench -f first
{
  printf '#cloud-config\ndisable_root: false\nssh_pwauth: false\nssh_keys:\n  ed25519_private: |\n'
  sed 's/^/    /' first
  printf '  ed25519_public: %s\n' "$(cat first.pub)"
} >user_data

# The cloud.
key=$(api POST /v2/account/keys "{\"name\":\"bench\",\"public_key\":\"$(cat login.pub)\"}" | pick ssh_key.id); made "/v2/account/keys/$key"
vpc=$(api POST /v2/vpcs '{"name":"bench","region":"fra1","ip_range":"10.77.0.0/24"}' | pick vpc.id); made "/v2/vpcs/$vpc"
volume=$(api POST /v2/volumes '{"name":"bench","region":"fra1","size_gigabytes":5,"filesystem_type":"ext4"}' | pick volume.id); made "/v2/volumes/$volume"
body=$(python3 -c 'import json, sys
key, vpc, volume = sys.argv[1:]
print(json.dumps({"name": "bench", "region": "fra1", "size": "s-2vcpu-4gb", "image": "debian-13-x64", "ssh_keys": [int(key)],
                  "vpc_uuid": vpc, "volumes": [volume], "monitoring": True, "user_data": open("user_data").read()}))' "$key" "$vpc" "$volume")
droplet=$(api POST /v2/droplets "$body" | pick droplet.id); made "/v2/droplets/$droplet"
open='{"protocol":"tcp","ports":"PORT","sources":{"addresses":["0.0.0.0/0","::/0"]}}'
out='{"protocol":"PROTO","ports":"0","destinations":{"addresses":["0.0.0.0/0","::/0"]}}'
rules="$(echo "$open" | sed s/PORT/22/),$(echo "$open" | sed s/PORT/80/),$(echo "$open" | sed s/PORT/443/)"
outs="$(echo "$out" | sed s/PROTO/tcp/),$(echo "$out" | sed s/PROTO/udp/),$(echo "$out" | sed s/PROTO/icmp/)"
wall=$(api POST /v2/firewalls "{\"name\":\"bench\",\"droplet_ids\":[$droplet],\"inbound_rules\":[$rules],\"outbound_rules\":[$outs]}" | pick firewall.id); made "/v2/firewalls/$wall"
api POST /v2/domains "{\"name\":\"$ZONE\"}" >/dev/null; made "/v2/domains/$ZONE"
for metric in cpu memory_utilization_percent disk_utilization_percent; do
  alert=$(api POST /v2/monitoring/alerts "{\"type\":\"v1/insights/droplet/$metric\",\"description\":\"bench $metric\",\"compare\":\"GreaterThan\",\"value\":80,\"window\":\"5m\",\"entities\":[\"$droplet\"],\"tags\":[],\"enabled\":true,\"alerts\":{\"email\":[\"bench@$ZONE\"],\"slack\":[]}}" | pick policy.uuid)
  made "/v2/monitoring/alerts/$alert"
done
until [ "$(api GET "/v2/droplets/$droplet" | tee droplet.json | pick droplet.status)" = active ]; do sleep 0.2; done
address=$(python3 -c 'import json; print(next(n["ip_address"] for n in json.load(open("droplet.json"))["droplet"]["networks"]["v4"] if n["type"] == "public"))')
reserved=$(api POST /v2/reserved_ips "{\"droplet_id\":$droplet}" | pick reserved_ip.ip); made "/v2/reserved_ips/$reserved"
api POST "/v2/domains/$ZONE/records" "{\"type\":\"A\",\"name\":\"${DOMAIN%".$ZONE"}\",\"data\":\"$reserved\",\"ttl\":300}" >/dev/null
project=$(api POST /v2/projects '{"name":"bench","purpose":"Other: bench","environment":"Staging"}' | pick project.id); made "/v2/projects/$project"
api POST "/v2/projects/$project/resources" "{\"resources\":[\"do:droplet:$droplet\",\"do:volume:$volume\",\"do:domain:$ZONE\"]}" >/dev/null

# The host: one connection for everything, pinned to the key that cloud-init was given, then to the droplet's own.
echo "$address $(cut -d' ' -f1,2 first.pub)" >known_hosts
on() { ssh -F none -i login -o BatchMode=yes -o UserKnownHostsFile=known_hosts -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes \
  -o HostKeyAlgorithms=ssh-ed25519 -o ConnectTimeout=5 -o ControlMaster=auto -o ControlPath="$PWD/mux" -o ControlPersist=60 "root@$address" "$@"; }
tries=0
until on true 2>ssh.log; do tries=$((tries + 1)); [ $tries -lt 300 ] || { cat ssh.log >&2; exit 1; }; sleep 0.2; done
on 'cloud-init status --wait >/dev/null; rm -f /etc/ssh/next /etc/ssh/next.pub; ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/next &&
  mv /etc/ssh/next /etc/ssh/ssh_host_ed25519_key && mv /etc/ssh/next.pub /etc/ssh/ssh_host_ed25519_key.pub && systemctl reload ssh && cat /etc/ssh/ssh_host_ed25519_key.pub' >own.pub
echo "$address $(cut -d' ' -f1,2 own.pub)" >known_hosts
on -O exit 2>/dev/null || true
on true

on "sh -eu" <<REMOTE
id -u $APP_USER >/dev/null 2>&1 || useradd --create-home --shell /bin/bash $APP_USER
dpkg-query -W docker.io docker-compose git caddy >/dev/null
systemctl enable -q --now docker
usermod -aG docker $APP_USER
install -d -o $APP_USER -g $APP_USER -m 0755 ${APP_DIRECTORY%/*}
mountpoint -q /mnt/bench || mount /dev/disk/by-id/scsi-0DO_Volume_bench /mnt/bench
install -d /mnt/bench/postgres /mnt/bench/redis
su $APP_USER -c 'git clone -q --branch $BRANCH $REPOSITORY $APP_DIRECTORY && cd $APP_DIRECTORY && git checkout -q --detach $COMMIT'
cd $APP_DIRECTORY
install -d -o 1000 -g 1000 logs/staging logs/staging/neurolink uploads/staging
REMOTE
on "umask 077; cat >$APP_DIRECTORY/.env.staging && chown $APP_USER: $APP_DIRECTORY/.env.staging" <workload.env
on "sh -eu" <<REMOTE
cd $APP_DIRECTORY
export IMAGE_TAG=staging-$(echo "$COMMIT" | cut -c1-7) DATA_DIRECTORY=/mnt/bench
compose() { docker compose --env-file .env.staging -f $COMPOSE_FILE "\$@"; }
compose build --quiet
compose up -d --wait --quiet-pull tsh_postgres_staging redis_staging
compose run --rm --no-TTY --no-deps app_staging alembic upgrade head
compose up -d --wait --quiet-pull
REMOTE
on "cat >/etc/caddy/Caddyfile" <<CADDY
{
	skip_install_trust
}
$DOMAIN {
	tls internal
	encode gzip
	handle /tds-admin* {
		reverse_proxy 127.0.0.1:3001
	}
	handle {
		reverse_proxy 127.0.0.1:8002
	}
}
CADDY
on "sh -eu" <<REMOTE
caddy validate --config /etc/caddy/Caddyfile --adapter caddyfile >/dev/null 2>&1
systemctl restart caddy
ca=/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt
for path in /health /ready; do
  tries=0
  until curl -sf --resolve $DOMAIN:443:127.0.0.1 --cacert \$ca https://$DOMAIN\$path >/dev/null; do
    tries=\$((tries + 1)); [ \$tries -lt 300 ] || exit 1; sleep 0.2
  done
done
REMOTE
on -O exit 2>/dev/null || true
