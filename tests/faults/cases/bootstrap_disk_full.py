"""The file system of Docker's data is full, and a part of what is on it are dangling images of ours.

Docker's data is moved to a small file system in memory for it: the droplet's own disk is this machine's.
"""

from faultcase import Case

FULL = """
set -e
docker ps -q | xargs -r docker stop -t 8 >/dev/null
systemctl stop docker.socket docker.service
used=$(du -sm /var/lib/docker | cut -f1)
mkdir -p /mnt/lab-docker
mount -t tmpfs -o size=$((used + 1100))m,mode=0710 lab-docker /mnt/lab-docker
cp -a /var/lib/docker/. /mnt/lab-docker/
mount --bind /mnt/lab-docker /var/lib/docker
umount /mnt/lab-docker
systemctl start docker.service
docker ps -aq | xargs -r docker start >/dev/null
id=$(docker run -d --label com.docker.compose.project=tsh_erp_staging redis:7-alpine dd if=/dev/urandom of=/data.bin bs=1M count=450)
docker wait $id >/dev/null; docker commit $id >/dev/null; docker rm -v $id >/dev/null
left=$(df -m --output=avail /var/lib/docker | tail -1)
fallocate -l $((left - 3))M /var/lib/docker/lab-fill
"""
BACK = """
mountpoint -q /var/lib/docker && grep -q 'lab-docker /var/lib/docker' /proc/mounts || exit 0
rm -f /var/lib/docker/lab-fill
docker ps -q | xargs -r docker stop -t 8 >/dev/null
systemctl stop docker.socket docker.service
for _ in 1 2 3 4 5; do umount /var/lib/docker 2>/dev/null && break || sleep 1; done
systemctl reset-failed docker; systemctl start docker.service
docker ps -aq | xargs -r docker start >/dev/null
"""

CASE = Case(
    id="bootstrap-disk-full",
    title="the disk of the Docker engine is full; dangling images of ours are on it",
    rows=("F62",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(FULL, timeout_s=240),
    broken=lambda lab: (
        "less than 10 MB are free"
        if int(lab.shell("df -m --output=avail /var/lib/docker | tail -1", check=False).strip() or 0) < 10
        else ""
    ),
    restore=lambda lab: lab.shell(BACK, timeout_s=240),
    causes=("DISK_FULL",),
    disturbs=frozenset({"neighbour's start", "neighbour's container"}),
)
