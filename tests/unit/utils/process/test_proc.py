# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ducktape.utils.process.proc import Mount, read_stat

pytestmark = pytest.mark.needs("linux")


def test_a_process_is_running_stopped_dead_and_gone() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        stat = read_stat(process.pid)
        assert stat is not None
        assert (stat.parent, stat.is_stopped, stat.is_dead) == (os.getpid(), False, False)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        stat = read_stat(process.pid)
        assert stat is not None
        assert stat.is_stopped
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        stat = read_stat(process.pid)
        assert stat is not None
        assert stat.is_dead
        process.wait()
        assert read_stat(process.pid) is None


def test_a_name_may_contain_parentheses_and_spaces() -> None:
    program = (
        "from ducktape.utils.process.proc import read_stat, set_name\n"
        "set_name('a) b (c')\n"
        "stat = read_stat('self')\n"
        "print(stat.name, stat.is_dead, stat.parent)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"a) b (c False {os.getpid()}\n"


def test_descriptors_are_closed_except_the_standard_streams_and_one() -> None:
    program = (
        "import os\n"
        "from ducktape.utils.process.proc import close_descriptors\n"
        "kept, other = os.dup(1), os.dup(1)\n"
        "high = os.dup2(1, 200)\n"
        "close_descriptors(kept)\n"
        "for each in (0, 1, 2, kept): os.fstat(each)\n"
        "for each in (other, high):\n"
        "    try: os.fstat(each)\n"
        "    except OSError: print('closed')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "closed\nclosed\n"


def test_without_standard_streams_nothing_of_the_parent_stays_open() -> None:
    program = (
        "import os\n"
        "from ducktape.utils.process.proc import detach_standard_streams\n"
        "result = os.dup(1)\n"
        "before = os.listdir('/proc/self/fd')\n"
        "detach_standard_streams()\n"
        "names = {os.readlink(f'/proc/self/fd/{number}') for number in range(3)}\n"
        "after = os.listdir('/proc/self/fd')\n"
        "os.write(result, f'{names} {len(after) - len(before)}'.encode())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "{'/dev/null'} 0"


def test_paths_of_mounts_are_read_as_they_are() -> None:
    mount = Mount.of("36 25 0:5 / /a\\040b\\134c rw,nosuid shared:1 - tmpfs none rw,size=4k\n")
    assert mount == ("/", "/a b\\c", ["rw", "nosuid"], "tmpfs", ["rw", "size=4k"])


def test_a_mount_without_a_source_and_one_with_a_wide_space_are_read() -> None:
    mount = Mount.of("36 25 0:5 / /a\N{NO-BREAK SPACE}b rw - tmpfs  rw,size=4k\n")
    assert mount == ("/", "/a\N{NO-BREAK SPACE}b", ["rw"], "tmpfs", ["rw", "size=4k"])
