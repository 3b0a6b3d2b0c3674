# Written by Greenroom: no core files, and a shell that nobody uses ends by itself.
ulimit -c 0
[ -n "${TMOUT:-}" ] || readonly TMOUT=900
export TMOUT
