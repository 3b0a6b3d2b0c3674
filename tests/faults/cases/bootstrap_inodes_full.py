"""The data volume has room and no inode left: small files took them all, and nothing new can be made there.

The data is moved to a small file system in memory for it: the volume's own is this machine's.
"""

from faultcase import Case

PLACE = "/mnt/greenroom_local_data"
STOP = "docker stop -t 10 tsh_erp_app_staging tsh_neurolink_staging tsh_postgres_staging tsh_redis_staging >/dev/null"
START = "docker start tsh_postgres_staging tsh_redis_staging tsh_erp_app_staging tsh_neurolink_staging >/dev/null"
FULL = f"""
set -e
cd /home/khaleel/tsh-erp
{STOP}
used=$(du -sm {PLACE} | cut -f1)
files=$(du -s --inodes {PLACE} | cut -f1)
mkdir -p /mnt/lab-data
mount -t tmpfs -o size=$((used + 300))m,nr_inodes=$((files + 400)) lab-data /mnt/lab-data
cp -a {PLACE}/. /mnt/lab-data/
mount --bind /mnt/lab-data {PLACE}
umount /mnt/lab-data
{START}
sleep 4
mkdir {PLACE}/lab-sessions
for number in $(seq 2000); do : > {PLACE}/lab-sessions/$number || break; done 2>/dev/null
"""
BACK = f"""
grep -q 'lab-data {PLACE}' /proc/mounts || exit 0
{STOP}
umount {PLACE}
{START}
"""

CASE = Case(
    id="bootstrap-inodes-full",
    title="the data volume has room, and no inode left",
    rows=(),
    strikes="run time",
    expected="escalated",
    inject=lambda lab: lab.shell(FULL, timeout_s=240),
    broken=lambda lab: (
        "less than 10 inodes are free"
        if int(lab.shell(f"df --output=iavail {PLACE} | tail -1", check=False).strip() or 0) < 10
        else ""
    ),
    restore=lambda lab: lab.shell(BACK, timeout_s=240),
    causes=("INODES_FULL",),
    role="devops",
)
