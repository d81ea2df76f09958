# SPDX-License-Identifier: Apache-2.0
"""A replacement for ``sudo`` in nodes where it is missing, or does not work in a user namespace.

Commands in a node run as root anyway, but suites written for other machines use ``sudo`` all the same.
"""

from __future__ import annotations

STAND_IN = r"""#!/bin/sh
# Commands in this node are root's already: this understands the options of sudo and runs the command.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export PATH
user=
shell=
directory=
while [ $# -gt 0 ]; do
    case $1 in
        --) shift; break ;;
        --user=*) user=${1#*=}; shift ;;
        --chdir=*) directory=${1#*=}; shift ;;
        --login | --shell) shell=yes; shift ;;
        --user) user=$2; shift 2 ;;
        --chdir) directory=$2; shift 2 ;;
        --group | --prompt | --host | --close-from | --command-timeout) shift 2 ;;
        --version | --validate | --list | --reset-timestamp | --remove-timestamp) exit 0 ;;
        --*) shift ;;
        -*)
            letters=${1#-}
            shift
            while [ -n "$letters" ]; do
                rest=${letters#?}
                letter=${letters%"$rest"}
                letters=$rest
                case $letter in
                    u | g | p | h | C | T | D | R | r | t | U)
                        if [ -n "$rest" ]; then value=$rest; else value=$1; shift; fi
                        letters=
                        [ "$letter" = u ] && user=$value
                        [ "$letter" = D ] && directory=$value
                        ;;
                    i | s) shell=yes ;;
                    v | V | l | K) exit 0 ;;
                    k) [ $# -gt 0 ] || exit 0 ;;
                esac
            done
            ;;
        [A-Za-z_]*=*) export "$1"; shift ;;
        *) break ;;
    esac
done
if [ -n "$directory" ]; then cd "$directory" || exit 1; fi
case $user in
    '' | root | '#0') ;;
    '#'*) [ $# -gt 0 ] && exec setpriv --reuid="${user#?}" --clear-groups -- "$@" ;;
    *) [ $# -gt 0 ] && exec runuser -u "$user" -- "$@"; exec runuser -u "$user" -- "${SHELL:-/bin/sh}" ;;
esac
if [ -n "$shell" ]; then
    [ $# -gt 0 ] || exec "${SHELL:-/bin/sh}"
    exec "${SHELL:-/bin/sh}" -c "$*"
fi
if [ $# -eq 0 ]; then
    echo "usage: sudo [options] command" >&2
    exit 1
fi
exec "$@"
"""
