# SPDX-License-Identifier: Apache-2.0
# Controls one long-lived process from the directory in which this file is. Usage:
#   start DIRECTORY LOG USER PROGRAM    PROGRAM is the text of a simple command; USER may be empty
#   look ROUNDS                         prints "running PID", "ended STATUS", "lost" or "none"; waits ROUNDS x 20 ms
#   signal NUMBER                       reaches the process and its process group
# Files beside it: pid (the id, the start time and the boot, since ids are used again), exit (the status), and sudo if
# another user runs it.

cd "$(dirname "$0")" || exit

# Prints when the process $1 was started, nothing if it has ended
identity() {
    if [ ! -d /proc/self ]; then
        ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _
        return
    fi
    { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
    case ${stat##*) } in Z* | X*) return ;; esac
    set -- ${stat##*) }
    shift 19
    boot=
    { read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
    printf '%s %s' "$1" "$boot"
}

# Sets pid and, if it is still this process that has the id, running
recall() {
    running=
    [ -s pid ] && read -r pid known <pid || return
    [ "$(identity "$pid")" != "$known" ] || running=yes
}

start() {
    rm -f pid exit sudo
    mkdir -p "$1" && : >>"$2" && : >pid || exit
    DT_HERE=$PWD DT_DIRECTORY=$1 DT_LOG=$2 DT_PROGRAM=$4 DT_AS='' DT_SESSION='' DT_RESET=''
    if [ -n "$3" ] && [ "$3" != "$(id -un)" ]; then
        id -u "$3" >/dev/null || exit
        if [ "$(id -u)" != 0 ]; then
            DT_AS="sudo -n -E -u $3 --"
            chmod 666 pid # sudo closes descriptors
            : >sudo
        elif command -v setpriv >/dev/null; then
            DT_AS="setpriv --reuid $(id -u "$3") --regid $(id -g "$3") --init-groups --"
        else
            DT_AS="runuser -u $3 --"
        fi
    fi
    if command -v setsid >/dev/null; then DT_SESSION=setsid; fi
    # A shell makes what it starts in the background ignore INT and QUIT, and no shell can undo that
    if env --default-signal true 2>/dev/null; then
        DT_RESET='env --default-signal'
    elif command -v perl >/dev/null; then
        DT_RESET='perl -e $SIG{INT}=$SIG{QUIT}="DEFAULT";exec(@ARGV)'
    fi
    export DT_HERE DT_DIRECTORY DT_LOG DT_PROGRAM DT_AS DT_SESSION DT_RESET
    DT_IDENTIFY=$(sed -n '/^identity()/,/^}/p' control)
    export DT_IDENTIFY
    # No command line but that of the process itself names the program, or searches for it would find others, too
    $DT_SESSION sh -c '
        trap "" HUP INT TERM
        exec 9>pid
        (trap - HUP INT TERM
        exec $DT_SESSION $DT_RESET $DT_AS sh -c '\''
            eval "$DT_IDENTIFY"
            known="$$ $(identity $$)"
            { echo "$known" >&9; } 2>/dev/null || echo "$known" >"$DT_HERE/pid"
            exec 9>&-
            cd "$DT_DIRECTORY" || exit 127
            program=$DT_PROGRAM
            unset DT_HERE DT_DIRECTORY DT_LOG DT_PROGRAM DT_AS DT_SESSION DT_RESET DT_IDENTIFY
            eval "exec env $program"
        '\'') >>"$DT_LOG" 2>&1 &
        wait $!
        echo $? >exit.new
        mv exit.new exit
    ' </dev/null >/dev/null 2>&1 &
    rounds=0
    until [ -s pid ]; do
        rounds=$((rounds + 1))
        if [ -e exit ] || [ $rounds -gt 1000 ]; then
            tail -n 3 "$2" >&2
            exit 1
        fi
        sleep 0.01
    done
}

look() {
    recall
    rounds=0
    while [ -n "$running" ] && [ $rounds -lt "$1" ]; do
        sleep 0.02
        rounds=$((rounds + 1))
        recall
    done
    if [ -n "$running" ]; then
        echo "running $pid"
    elif [ ! -s pid ]; then
        echo none
    else
        rounds=0
        until [ -s exit ] || [ $rounds -gt 25 ]; do
            sleep 0.02
            rounds=$((rounds + 1))
        done
        if [ -s exit ]; then echo "ended $(cat exit)"; else echo lost; fi
    fi
}

# kill of the shell, since that of a package takes some negative numbers for -1, which is every process
signal() {
    recall
    if [ -z "$running" ] && { [ ! -s pid ] || [ ! -e exit ] || [ "$1" != 9 ]; }; then
        return
    fi
    # After the end, this reaches what it has left behind: a group with members keeps its id
    kill='kill "-$1" "-$2" 2>/dev/null || kill "-$1" "$2"'
    if [ -e sudo ]; then
        sudo -n sh -c "$kill" sh "$1" "$pid"
    else
        sh -c "$kill" sh "$1" "$pid"
    fi 2>/dev/null || { recall; [ -z "$running" ]; }
}

verb=$1
shift
"$verb" "$@"
