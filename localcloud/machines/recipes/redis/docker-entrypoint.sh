#!/bin/sh
# The contract of the official image: options and *.conf files are arguments of redis-server, which runs as user redis
# on a directory that belongs to it, and is reached from other containers (protected mode off unless asked for).
set -e

case "${1:-}" in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "${1:-}" = redis-server ] && [ "$(id -u)" = 0 ]; then
  find . \! -user redis -exec chown redis '{}' +
  exec gosu redis "$0" "$@"
fi
if [ "${1:-}" = redis-server ]; then
  umask 0077
  case " $* " in
    *" --protected-mode "*) ;;
    *) set -- "$@" --protected-mode no ;;
  esac
fi
exec "$@"
