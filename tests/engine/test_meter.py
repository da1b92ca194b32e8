"""Time and memory of a stage are those of its processes, whatever becomes of processes started before it."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil

from labelsearch.engine.meter import Meter

BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"


def test_a_child_that_is_waited_for_counts():
    with Meter() as meter:
        subprocess.run([sys.executable, "-c", BURN.format(seconds=0.4)], check=True)
    assert meter.processor_seconds >= 0.35  # and what this process takes itself


def test_a_living_child_counts_from_the_start_of_the_stage():
    child = subprocess.Popen([sys.executable, "-c", BURN.format(seconds=1.5) + "print(1, flush=True)\ninput()\n"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    child.stdout.readline()  # it has used its time
    with Meter() as meter:
        time.sleep(0.05)
    with Meter() as ending:
        child.communicate(b"\n")  # what it used before the stage does not count when it is waited for
    assert meter.processor_seconds < 1.2
    assert 0 <= ending.processor_seconds < 1.2


def test_a_child_that_is_let_go_takes_nothing_back():
    burn = BURN.format(seconds=0.5) + "print(1, flush=True); input()"
    code = (
        f"import subprocess, sys\np = subprocess.Popen([sys.executable, '-c', {burn!r}], stdin=-1, stdout=-1)\n"
        "p.stdout.readline()\nprint(p.pid, flush=True)\ninput()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    orphan = int(parent.stdout.readline())
    os.kill(orphan, signal.SIGSTOP)  # it must not end as its parent does
    try:
        with Meter() as meter:
            parent.kill()
            parent.wait()  # the orphan, with its half second, belongs to another process now
            while orphan in {child.pid for child in psutil.Process().children(recursive=True)}:
                time.sleep(0.01)
        assert meter.processor_seconds >= 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(orphan, signal.SIGKILL)
        parent.communicate()
